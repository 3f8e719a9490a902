"""Figures of opt-outs move as phones and apps ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.opt_outs.domain.inbound import InboundMessage
from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.metered_service import Metered
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb
from tukupay.sms.messaging.v1 import suppressions_pb2_grpc

pytestmark = pytest.mark.timeout(60)

WORDS = "tukupay_opt_out_words_total"
CANCELLED = "tukupay_opt_out_cancelled_total"


async def test_words_of_phones_and_cancelled_messages_are_counted_and_nobody_is_named(metered: Metered) -> None:
    tomorrow = Timestamp()
    tomorrow.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    await metered.service.send(scheduled_time=tomorrow, sender_id="OTHER")
    await metered.service.send(scheduled_time=tomorrow)
    now = datetime.now(UTC)
    for text in ("STOP", "what is this?", "START"):
        await metered.service.sinks[0].inbound([InboundMessage("smpp", RECIPIENT, "TUKUPAY", text, False, now)])
    figures = await metered.until(lambda figures: figures(WORDS, directive="opt_in") == 1)
    assert figures(WORDS, directive="opt_out") == 1
    before = figures(CANCELLED)
    suppressions = suppressions_pb2_grpc.SuppressionServiceStub(metered.service.channel)
    added = await suppressions.AddSuppression(
        pb.AddSuppressionRequest(phone_number=RECIPIENT, reason="asked", created_by="amina")
    )
    assert added.cancelled_messages >= 1
    figures = await metered.figures()
    assert figures(CANCELLED) == before + added.cancelled_messages
    assert RECIPIENT not in figures.text
