"""Figures of what is put on record, and of what is not."""

from __future__ import annotations

import pytest

from tests.integration.messaging.metered_service import Metered
from tests.integration.messaging.running_service import refusal_of
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import accounts_pb2_grpc

pytestmark = pytest.mark.timeout(60)

REFUSED = "tukupay_refused_total"


async def test_accepted_repeated_and_refused_requests_are_counted_by_reason(metered: Metered) -> None:
    billing = accounts_pb2_grpc.AccountServiceStub(metered.service.channel)
    await billing.OpenAccount(pb.OpenAccountRequest(user_id="poor", mode=pb.ACCOUNT_MODE_PREPAID))
    before = await metered.figures()
    await metered.service.send(message_id="once")
    await metered.service.send(message_id="once")
    for _ in range(2):
        assert (await refusal_of(metered.service.send(user_id="poor"))).reason == "INSUFFICIENT_FUNDS"
    assert (await refusal_of(metered.service.send(message_id="once", message="other"))).reason == "MESSAGE_ID_REUSED"
    after = await metered.figures()
    assert after("tukupay_accepted_total") - before("tukupay_accepted_total") == 1
    assert after("tukupay_replayed_total") - before("tukupay_replayed_total") == 1
    assert after(REFUSED, reason="INSUFFICIENT_FUNDS") == 2
    assert after(REFUSED, reason="MESSAGE_ID_REUSED") == 1
    assert "poor" not in after.text
