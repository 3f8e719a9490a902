"""What a test credential sends goes to sandbox carriers only and costs nothing, whatever becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import DeliveryReceipt, Outcome, ReceiptState
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.reports.postgres.traffic_rows import PostgresTraffic
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.access.principal import AccessMode, Principal, PrincipalKind
from service_kit.access.principal_messages import METADATA_KEY, from_principal
from service_kit.errors import Kind
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import accepted, not_taken, refused, unanswered
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.integration.messaging.running_service import Running, message, refusal_of, service_on
from tests.system.messaging_database import rows, until_found
from tests.system.waiting import eventually
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import (
    accounts_pb2,
    carriers_pb2,
    carriers_pb2_grpc,
    events_pb2,
    feedback_pb2,
    feedback_pb2_grpc,
    reports_pb2,
    reports_pb2_grpc,
)
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

CARRIER = """
[[carriers]]
name = "{name}"
kind = "smpp"
host = "127.0.0.1"
port = 2775
system_id = "unused"
password_file = "{password}"
sandbox = {sandbox}
"""
SCOPES = frozenset({"sms:send", "sms:read", "pii:read"})
TEST_KEY = Principal("tk_test_4fQ2bT9x", PrincipalKind.API_KEY, None, SCOPES, mode=AccessMode.TEST)
LIVE_KEY = Principal("tk_live_8kLm0P2q", PrincipalKind.API_KEY, None, SCOPES)
TEST, LIVE = access_pb2.ACCESS_MODE_TEST, access_pb2.ACCESS_MODE_LIVE
NOTHING_SPENT = (0, 0)


def as_caller(principal: Principal) -> tuple[tuple[str, bytes], ...]:
    return ((METADATA_KEY, from_principal(principal).SerializeToString()),)


AS_TEST = as_caller(TEST_KEY)


@asynccontextmanager
async def service(
    url: str,
    folder: Path,
    *,
    real: Iterable[str] = ("safaricom",),
    sandboxes: Iterable[str] = ("sandbox",),
    **more: Any,
) -> AsyncIterator[tuple[Running, dict[str, ScriptedCarrier]]]:
    password = folder / "password"
    password.write_text("unused")
    names = dict.fromkeys(real, "false") | dict.fromkeys(sandboxes, "true")
    file = folder / "carriers.toml"
    file.write_text(
        "".join(CARRIER.format(name=name, password=password, sandbox=sandbox) for name, sandbox in names.items())
    )
    several = {name: ScriptedCarrier(name=name) for name in names}
    none: dict[str, Any] = dict.fromkeys(("smpp_host", "smpp_port", "smpp_system_id", "smpp_password"))
    async with service_on(url, several=several, carriers_file=file, **none, **more) as running:
        yield running, several


async def sent(running: Running, **fields: Any) -> pb.OutboxEntry:
    return (await running.sms.SendSms(message(**fields), metadata=AS_TEST)).entry


async def resent(running: Running, outbox_id: str) -> pb.OutboxEntry:
    return (await running.sms.ResendSms(pb.ResendSmsRequest(outbox_id=outbox_id), metadata=AS_TEST)).entry


async def books_verify(running: Running) -> None:
    verified = await running.accounts.VerifyBooks(accounts_pb2.VerifyBooksRequest())
    assert not verified.faults


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


async def test_a_scheduled_one_goes_to_a_sandbox_carrier_when_it_is_due(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        soon = Timestamp()
        soon.FromDatetime(datetime.now(UTC) + timedelta(seconds=1))
        entry = await sent(running, scheduled_time=soon)
        assert entry.delivery_state == pb.DELIVERY_STATE_SCHEDULED

        async def is_sent() -> bool:
            return (await running.entry(entry.outbox_id)).status == pb.SMS_STATUS_SENT

        await eventually("the scheduled message is sent", is_sent)
        assert (await running.entry(entry.outbox_id)).carrier == "sandbox"
    assert not carriers["safaricom"].submissions


async def test_a_queued_one_waits_for_a_sandbox_carrier_also_when_its_route_is_gone(
    database_url: str, tmp_path: Path
) -> None:
    tomorrow = Timestamp()
    tomorrow.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    async with service(database_url, tmp_path) as (running, _):
        entry = await sent(running, scheduled_time=tomorrow)
        live = (await running.send(scheduled_time=tomorrow)).entry
    # Both are overdue on routes that nobody serves any more; only the live one is given to the default route.
    await rows(database_url, "UPDATE dispatch SET due_at = now() - interval '5 minutes', queued_at = now()")
    await rows(database_url, "UPDATE dispatch SET route = 'gone' WHERE route = 'default'")
    async with service(database_url, tmp_path, sandboxes=(), sweep_s=0.02) as (running, carriers):

        async def is_sent() -> bool:
            return (await running.entry(live.outbox_id)).carrier == "safaricom"

        await eventually("the live message is sent", is_sent)
        assert await rows(database_url, "SELECT route, state FROM dispatch") == [("@test", "ready")]
    assert len(carriers["safaricom"].submissions) == 1
    async with service(database_url, tmp_path) as (running, carriers):

        async def is_sent_too() -> bool:
            return (await running.entry(entry.outbox_id)).carrier == "sandbox"

        await eventually("the test message is sent", is_sent_too)
    assert not carriers["safaricom"].submissions


async def test_an_unknown_one_is_sent_again_to_a_sandbox_carrier(database_url: str, tmp_path: Path) -> None:
    choices: dict[str, Any] = {"unknown_resend_after_s": 1.0}
    async with service(database_url, tmp_path, **choices) as (running, carriers):
        good = carriers["sandbox"].answer
        carriers["sandbox"].answer = lambda _: replace(unanswered(), carrier="sandbox")
        await sent(running)
        await running.accounts.UpdateAccount(accounts_pb2.UpdateAccountRequest(user_id="user123", resend_unknown=True))
        entry = await sent(running)
        carriers["sandbox"].answer = good

        async def is_sent() -> bool:
            return (await running.entry(entry.outbox_id)).status == pb.SMS_STATUS_SENT

        await eventually("the unknown message is sent again", is_sent)
        assert await running.money() == NOTHING_SPENT
        await books_verify(running)
    assert not carriers["safaricom"].submissions


@pytest.mark.parametrize("state", [ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE])
@pytest.mark.parametrize("policy", ["acceptance", "delivery"])
async def test_receipts_end_it_without_money(
    database_url: str, tmp_path: Path, state: ReceiptState, policy: str
) -> None:
    async with service(database_url, tmp_path, charge_policy=ChargePolicy(policy)) as (running, carriers):
        carriers["sandbox"].answer = lambda _: accepted("C1", carrier="sandbox")
        entry = await sent(running)
        receipt = DeliveryReceipt(
            "sandbox", "C1", state, entry.recipient_phone_number, entry.sender_id, None, None, "as it came"
        )
        await running.sinks[0].receipts([receipt])
        await until_found(database_url, "SELECT 1 FROM message WHERE state IN ('delivered', 'undelivered')")
        ended = await running.entry(entry.outbox_id)
        assert ended.billing == pb.EntryBilling()
        assert await running.money() == NOTHING_SPENT
        await books_verify(running)
        events = await running.events.ListOutboxEvents(events_pb2.ListOutboxEventsRequest(outbox_id=entry.outbox_id))
        assert {event.mode for event in events.events} == {TEST}
    assert await rows(database_url, "SELECT count(*) FROM ledger_entry") == [(0,)]


async def test_it_needs_no_balance_and_counts_in_no_spend_but_in_its_minute(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        await running.accounts.OpenAccount(
            accounts_pb2.OpenAccountRequest(user_id="poor", mode=accounts_pb2.ACCOUNT_MODE_PREPAID)
        )
        assert (await refusal_of(running.send(user_id="poor"))).reason == "INSUFFICIENT_FUNDS"
        entry = await sent(running, user_id="poor")
        assert entry.status == pb.SMS_STATUS_SENT
        limits = accounts_pb2.UpdateAccountRequest(
            user_id="poor",
            limits=accounts_pb2.AccountLimits(
                messages_per_minute=2, messages_per_recipient_hour=1, daily_spend_micros=1
            ),
        )
        await running.accounts.UpdateAccount(limits)
        await rows(database_url, "UPDATE account SET minute_count = 0")
        assert [(await sent(running, user_id="poor")).status for _ in range(2)] == [pb.SMS_STATUS_SENT] * 2
        refusal = await refusal_of(running.sms.SendSms(message(user_id="poor"), metadata=AS_TEST))
        assert refusal.reason == "RATE_LIMIT_REACHED"
        await books_verify(running)


async def test_a_message_id_of_a_test_never_stands_for_a_live_message(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        first = await sent(running, message_id="order-7")
        assert (await sent(running, message_id="order-7")).outbox_id == first.outbox_id
        refusal = await refusal_of(running.send(message_id="order-7"))
        assert refusal.reason == "MESSAGE_ID_REUSED"
        assert [violation.field for violation in refusal.violations] == ["mode"]
    assert len(carriers["sandbox"].submissions) == 1
    assert not carriers["safaricom"].submissions


async def test_reports_and_audits_leave_it_out(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as (running, _):
        await sent(running)
        live = (await running.send()).entry
        reports = reports_pb2_grpc.ReportServiceStub(running.channel)
        start, end = Timestamp(), Timestamp()
        start.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
        end.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        asked = reports_pb2.ReportCostsRequest(
            period_start=start, period_end=end, group_by=[reports_pb2.COST_GROUPING_ACCOUNT]
        )
        totals = [
            (response.totals.messages, response.totals.charged_micros)
            async for response in reports.ReportCosts(asked)
            if response.HasField("totals")
        ]
        assert totals == [(1, 600_000)]
        exported = [
            shown.outbox_id
            async for response in reports.ExportMessages(
                reports_pb2.ExportMessagesRequest(period_start=start, period_end=end)
            )
            for shown in response.messages
        ]
        assert exported == [live.outbox_id]
    # What audits and rehearsals of prices look at.
    begin, over = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    async with create_pool(database_url, "reports", max_size=2, timeout_s=20) as pool:
        traffic = PostgresTraffic(ReportTurns(pool))
        audited = [outbox_id(entry.id) async for page in traffic.entries(begin, over, None) for entry in page]
        charged = [each.messages for each in await traffic.charged(begin, over, 10)]
    assert (audited, charged) == ([live.outbox_id], [1])


async def test_a_receipt_of_a_sandbox_settles_no_live_message_of_unknown_outcome(
    database_url: str, tmp_path: Path
) -> None:
    async with service(database_url, tmp_path) as (running, carriers):
        carriers["safaricom"].answer = lambda _: replace(unanswered(), carrier="")
        live = (await running.send()).entry
        assert live.delivery_state == pb.DELIVERY_STATE_UNKNOWN
        for carrier, number in (("sandbox", 1), ("safaricom", 2)):
            receipt = DeliveryReceipt(
                carrier,
                f"C{number}",
                ReceiptState.DELIVERED,
                live.recipient_phone_number,
                live.sender_id,
                None,
                None,
                "as it came",
            )
            await running.sinks[0].receipts([receipt])
            # It is matched by its phone at its third try.
            await until_found(
                database_url,
                f"SELECT 1 FROM receipt WHERE carrier = '{carrier}' AND (tries >= 3 OR message_id IS NOT NULL)",
            )
            state = (await running.entry(live.outbox_id)).delivery_state
            assert (state == pb.DELIVERY_STATE_UNKNOWN) == (carrier == "sandbox")


@pytest.mark.parametrize("real", [("safaricom",), ()], ids=["beside a real carrier", "alone"])
async def test_what_is_written_at_a_sandbox_opts_out_no_real_phone(
    database_url: str, tmp_path: Path, real: tuple[str, ...]
) -> None:
    stop = InboundMessage("sandbox", "+254712345678", "TUKUPAY", "STOP", is_opt_out=True, received_at=datetime.now(UTC))
    async with service(database_url, tmp_path, real=real) as (running, _):
        for sinks in running.sinks:
            await sinks.inbound([stop])
        found = await rows(database_url, "SELECT count(*) FROM inbound_message WHERE carrier = 'sandbox'")
    assert found == [(0,)] if real else found != [(0,)]
