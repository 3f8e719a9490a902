"""What a test credential sends goes to sandbox carriers only and costs nothing, whatever becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.carriers.domain.submission import Outcome
from service_kit.access.principal_messages import from_principal
from service_kit.errors import Kind
from tests.contract.sms_examples import not_taken, refused
from tests.integration.messaging.running_service import message, refusal_of
from tests.integration.messaging.sending.sandboxed import (
    AS_TEST,
    LIVE,
    LIVE_KEY,
    NOTHING_SPENT,
    TEST,
    TEST_KEY,
    books_verify,
    resent,
    sent,
    service,
)
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import (
    carriers_pb2,
    carriers_pb2_grpc,
    events_pb2,
    feedback_pb2,
    feedback_pb2_grpc,
)
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)


async def test_a_test_message_goes_to_a_sandbox_carrier_and_costs_nothing(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        entry = await sent(running)
        assert (entry.mode, entry.status, entry.carrier) == (TEST, pb.SMS_STATUS_SENT, "sandbox")
        assert (entry.unit_price_micros, entry.total_cost_micros, entry.price_cost_id) == (0, 0, "test")
        assert entry.billing == pb.EntryBilling()
        assert await running.entry(entry.outbox_id) == entry
        assert await running.money() == NOTHING_SPENT
        assert running.pricing.questions == []
        await books_verify(running)
    assert not carriers["safaricom"].submissions
    assert await rows(database_url, "SELECT count(*) FROM ledger_entry") == [(0,)]


async def test_live_messages_go_to_the_real_carrier_alone(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        entries = [(await running.send()).entry for _ in range(4)]
        assert {(entry.mode, entry.carrier) for entry in entries} == {(LIVE, "safaricom")}
        assert await running.money() == (-4 * 600_000, 0)
        carriers["safaricom"].go_down()
        assert (await refusal_of(running.send())).reason == "CARRIER_UNAVAILABLE"
        assert (await sent(running)).carrier == "sandbox"
    assert len(carriers["sandbox"].submissions) == 1


async def test_operators_see_which_carriers_are_sandboxes(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        carriers = carriers_pb2_grpc.CarrierServiceStub(running.channel)
        answer = await carriers.ListCarriers(carriers_pb2.ListCarriersRequest())
    assert {report.name: report.is_sandbox for report in answer.carriers} == {"safaricom": False, "sandbox": True}


async def test_a_batch_of_both_is_told_apart(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        request = pb.SendSmsBatchRequest(
            items=[message(message=f"Number {number}", principal_index=number % 2) for number in range(20)],
            principals=[from_principal(LIVE_KEY), from_principal(TEST_KEY)],
        )
        modes: dict[int, tuple[int, str]] = {}
        async for response in running.sms.SendSmsBatch(request):
            for result in response.results:
                modes[result.index] = (result.response.entry.mode, result.response.entry.carrier)
        assert {index: mode for index, (mode, _) in modes.items()} == {
            number: TEST if number % 2 else LIVE for number in range(20)
        }
        assert await running.money() == (-10 * 600_000, 0)
        await books_verify(running)
    assert [len(carriers[name].submissions) for name in ("safaricom", "sandbox")] == [10, 10]
    texts = {"".join(each.segmentation.segments) for each in carriers["sandbox"].submissions}
    assert texts == {f"Number {number}" for number in range(1, 20, 2)}


async def test_without_a_sandbox_carrier_it_is_refused(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path, real=("safaricom", "airtel"), sandboxes=()) as (running, carriers):
        refusal = await refusal_of(running.sms.SendSms(message(), metadata=AS_TEST))
        assert (refusal.kind, refusal.reason) == (Kind.FAILED_PRECONDITION, "NO_TEST_CARRIER")
        assert await running.entries() == []
    assert not any(carrier.submissions for carrier in carriers.values())


async def test_it_is_validated_as_always(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        for fields, reason in (
            ({"recipient_phone_number": "12"}, "INVALID_ARGUMENT"),
            ({"message": ""}, "INVALID_ARGUMENT"),
            ({"recipient_phone_number": "+14155552671"}, "DESTINATION_NOT_ALLOWED"),
        ):
            assert (await refusal_of(running.sms.SendSms(message(**fields), metadata=AS_TEST))).reason == reason


async def test_another_sandbox_carrier_is_asked_and_never_a_real_one(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path, sandboxes=("sandbox", "second")) as (running, carriers):

        def elsewhere(name: str) -> Outcome:
            return replace(not_taken("INVALID_RECIPIENT"), carrier=name, only_elsewhere=True)

        carriers["sandbox"].answer = lambda _: elsewhere("sandbox")
        entries = [await sent(running) for _ in range(4)]
        assert {entry.carrier for entry in entries} == {"second"}
        carriers["second"].answer = lambda _: elsewhere("second")
        entry = await sent(running)
        assert (entry.status, entry.error_code) == (pb.SMS_STATUS_FAILED, "INVALID_RECIPIENT")
        for name in ("sandbox", "second"):
            carriers[name].go_down()
        refusal = await refusal_of(running.sms.SendSms(message(), metadata=AS_TEST))
        assert refusal.reason == "CARRIER_UNAVAILABLE"
    assert not carriers["safaricom"].submissions


async def test_a_failed_one_is_resent_to_a_sandbox_carrier_by_whomever(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        good = carriers["sandbox"].answer
        carriers["sandbox"].answer = lambda _: replace(refused(), carrier="sandbox")
        failed = await sent(running)
        assert failed.status == pb.SMS_STATUS_FAILED
        assert (await resent(running, failed.outbox_id)).status == pb.SMS_STATUS_FAILED
        carriers["sandbox"].answer = good
        # Its mode stays that of its first send, also when a live caller resends it.
        again = (await running.sms.ResendSms(pb.ResendSmsRequest(outbox_id=failed.outbox_id))).entry
        assert (again.mode, again.status, again.carrier, again.retry_count) == (TEST, pb.SMS_STATUS_SENT, "sandbox", 2)
        assert await running.money() == NOTHING_SPENT
        await books_verify(running)
    assert not carriers["safaricom"].submissions


async def test_a_test_caller_neither_resends_nor_cancels_what_is_live(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        carriers["safaricom"].answer = lambda _: replace(refused(), carrier="safaricom")
        failed = (await running.send()).entry
        soon = Timestamp()
        soon.FromDatetime(datetime.now(UTC) + timedelta(days=1))
        planned = (await running.send(scheduled_time=soon)).entry
        resend = running.sms.ResendSms(pb.ResendSmsRequest(outbox_id=failed.outbox_id), metadata=AS_TEST)
        assert (await refusal_of(resend)).reason == "OUTBOX_ENTRY_NOT_FOUND"
        cancel = running.sms.CancelSms(pb.CancelSmsRequest(outbox_id=planned.outbox_id), metadata=AS_TEST)
        assert (await refusal_of(cancel)).reason == "OUTBOX_ENTRY_NOT_FOUND"
        assert (await running.entry(planned.outbox_id)).delivery_state == pb.DELIVERY_STATE_SCHEDULED
        test_plan = await sent(running, scheduled_time=soon)
        cancel = running.sms.CancelSms(pb.CancelSmsRequest(outbox_id=test_plan.outbox_id), metadata=AS_TEST)
        assert (await cancel).entry.delivery_state == pb.DELIVERY_STATE_CANCELLED
    assert len(carriers["safaricom"].submissions) == 1


async def test_a_test_caller_sees_test_messages_only(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        live = (await running.send(message="Your code is 555123.")).entry
        test = await sent(running)
        asked = pb.ListOutboxEntriesRequest(user_id="user123", page_size=1)
        page = await running.sms.ListOutboxEntries(asked, metadata=AS_TEST)
        assert ([entry.outbox_id for entry in page.entries], page.next_page_token) == ([test.outbox_id], "")
        everything = await running.sms.ListOutboxEntries(asked)
        asked.page_token = everything.next_page_token
        foreign = running.sms.ListOutboxEntries(asked, metadata=AS_TEST)
        assert [each.reason for each in (await refusal_of(foreign)).violations] == ["INVALID_PAGE_TOKEN"]
        absent = pb.GetOutboxEntryRequest(outbox_id="outbox_" + "0" * 32)
        for outbox_id, is_there in ((live.outbox_id, False), (test.outbox_id, True)):
            entry = running.sms.GetOutboxEntry(pb.GetOutboxEntryRequest(outbox_id=outbox_id), metadata=AS_TEST)
            events = running.events.ListOutboxEvents(
                events_pb2.ListOutboxEventsRequest(outbox_id=outbox_id), metadata=AS_TEST
            )
            watch = running.events.WatchOutboxEntry(
                events_pb2.WatchOutboxEntryRequest(outbox_id=outbox_id), metadata=AS_TEST
            )
            if is_there:
                news = await watch.read()
                assert isinstance(news, events_pb2.WatchOutboxEntryResponse)
                assert (await entry).entry.mode == news.entry.mode == TEST
                assert (await events).events
                watch.cancel()
                continue
            missing = await refusal_of(running.sms.GetOutboxEntry(absent, metadata=AS_TEST))
            for call in (entry, events, watch.read()):
                refusal = await refusal_of(call)
                assert refusal.reason == missing.reason == "OUTBOX_ENTRY_NOT_FOUND"


async def test_a_test_caller_watches_test_messages_only(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        watch = running.events.WatchOutbox(events_pb2.WatchOutboxRequest(user_id="user123"), metadata=AS_TEST)
        beginning = await watch.read()
        assert isinstance(beginning, events_pb2.WatchOutboxResponse)
        for _ in range(2):
            await running.send()
        test = await sent(running)
        seen: list[tuple[str, int]] = []
        while len(seen) < 2:
            news = await watch.read()
            assert isinstance(news, events_pb2.WatchOutboxResponse)
            seen += [(event.outbox_id, event.mode) for event in news.events]
        watch.cancel()
        assert set(seen) == {(test.outbox_id, TEST)}
        again = running.events.WatchOutbox(
            events_pb2.WatchOutboxRequest(user_id="user123", cursor=beginning.cursor), metadata=AS_TEST
        )
        news = await again.read()
        assert isinstance(news, events_pb2.WatchOutboxResponse)
        again.cancel()
        assert {event.outbox_id for event in news.events} == {test.outbox_id}


async def test_feedback_about_a_test_counts_nowhere(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        feedback = feedback_pb2_grpc.FeedbackServiceStub(running.channel)
        live, test = (await running.send()).entry, await sent(running)

        def said(entry: pb.OutboxEntry) -> feedback_pb2.RecordFeedbackRequest:
            return feedback_pb2.RecordFeedbackRequest(
                outbox_id=entry.outbox_id, outcome=feedback_pb2.FEEDBACK_OUTCOME_VERIFIED
            )

        foreign = feedback.RecordFeedback(said(live), metadata=AS_TEST)
        assert (await refusal_of(foreign)).reason == "OUTBOX_ENTRY_NOT_FOUND"
        assert [(await feedback.RecordFeedback(said(test), metadata=AS_TEST)).replayed for _ in range(2)] == [
            False,
            True,
        ]
        assert await rows(database_url, "SELECT coalesce(sum(verified), 0) FROM number_block_hour") == [(0,)]
        await feedback.RecordFeedback(said(live))
        assert await rows(database_url, "SELECT sum(verified) FROM number_block_hour") == [(1,)]
