"""A running service: answers that come late reach the record, and the charging policy is a setting."""

from __future__ import annotations

import asyncio

import pytest

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import LateOutcome, Outcome, ReceiptState, Submission
from messaging_service.sending.domain.failures import CATALOGUE
from tests.contract.sms_examples import accepted, unanswered
from tests.integration.messaging.conftest import receipt
from tests.integration.messaging.running_service import Running, service_on
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import accounts_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def until_state(service: Running, outbox_id: str, state: pb.DeliveryState.ValueType) -> pb.OutboxEntry:

    async def reached() -> pb.OutboxEntry | None:
        entry = await service.entry(outbox_id)
        return entry if entry.delivery_state == state else None

    entry = await eventually(f"state {pb.DeliveryState.Name(state)}", reached)
    assert entry is not None
    return entry


async def test_an_answer_that_comes_late_is_charged_and_its_receipt_found(service: Running) -> None:
    late: list[LateOutcome] = []

    def silent(submission: Submission) -> Outcome:
        late.append(LateOutcome(submission.message_id, submission.epoch, accepted("L1")))
        return unanswered()

    service.carrier.answer = silent
    entry = (await service.send()).entry
    assert (entry.delivery_state, entry.error_code) == (pb.DELIVERY_STATE_UNKNOWN, "CARRIER_NO_ANSWER")
    await service.sinks[0].late_outcomes(late)
    taken = await service.entry(entry.outbox_id)
    assert (taken.delivery_state, taken.billing_state) == (pb.DELIVERY_STATE_ACCEPTED, pb.BILLING_STATE_CHARGED)
    assert await service.money() == (-600_000, 0)
    await service.sinks[0].receipts([receipt("L1")])
    await until_state(service, entry.outbox_id, pb.DELIVERY_STATE_DELIVERED)


async def test_an_answer_that_overtakes_the_record_of_the_silence_waits_for_it(service: Running) -> None:
    taking: list[asyncio.Task[None]] = []

    def silent(submission: Submission) -> Outcome:
        late = LateOutcome(submission.message_id, submission.epoch, accepted("L2"))
        taking.append(asyncio.ensure_future(service.sinks[0].late_outcomes([late])))
        return unanswered()

    service.carrier.answer = silent
    entry = (await service.send()).entry
    await taking[0]
    assert (await service.entry(entry.outbox_id)).delivery_state == pb.DELIVERY_STATE_ACCEPTED


async def test_what_was_not_delivered_is_refunded_where_the_setting_says_so(database_url: str) -> None:
    async with service_on(database_url, charge_policy=ChargePolicy.DELIVERY) as service:
        service.carrier.answer = lambda _: accepted("D1")
        entry = (await service.send()).entry
        assert await service.money() == (-600_000, 0)
        await service.sinks[0].receipts([receipt("D1", ReceiptState.UNDELIVERABLE)])
        failed = await until_state(service, entry.outbox_id, pb.DELIVERY_STATE_UNDELIVERED)
        assert failed.billing_state == pb.BILLING_STATE_REFUNDED
        assert await service.money() == (0, 0)


async def test_an_unknown_outcome_is_sent_again_where_the_account_wants_it(database_url: str) -> None:
    async with service_on(database_url, unknown_resend_after_s=0.2) as service:
        await service.send()
        await service.accounts.UpdateAccount(accounts_pb2.UpdateAccountRequest(user_id="user123", resend_unknown=True))
        answers = [unanswered(), accepted("S2")]
        service.carrier.answer = lambda _: answers.pop(0)
        entry = (await service.send()).entry
        again = await until_state(service, entry.outbox_id, pb.DELIVERY_STATE_ACCEPTED)
        assert (again.retry_count, again.billing_state) == (1, pb.BILLING_STATE_CHARGED)
        assert await service.money() == (-1_200_000, 0)
        assert [submission.epoch for submission in service.carrier.submissions[1:]] == [1, 2]


async def test_the_catalogue_of_failures_is_there_to_read(service: Running) -> None:
    listed, request, pages = list[pb.ErrorCode](), pb.ListErrorCodesRequest(page_size=7), 0
    while pages == 0 or request.page_token:
        page = await service.sms.ListErrorCodes(request)
        listed += page.error_codes
        request.page_token, pages = page.next_page_token, pages + 1
    assert pages == -(-len(CATALOGUE) // 7)
    assert [code.code for code in listed] == [failure.code for failure in CATALOGUE.values()]
    assert {code.code: (code.meaning, code.advice) for code in listed} == {
        failure.code: (failure.meaning, failure.advice) for failure in CATALOGUE.values()
    }
    assert pb.RESEND_ADVICE_UNSPECIFIED not in {code.resend_advice for code in listed}
