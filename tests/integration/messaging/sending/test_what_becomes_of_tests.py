"""What becomes later of messages that a test credential has sent: queue, receipts, money, reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.reports.postgres.traffic_rows import PostgresTraffic
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import accepted, unanswered
from tests.integration.messaging.running_service import message, refusal_of
from tests.integration.messaging.sending.sandboxed import (
    AS_TEST,
    NOTHING_SPENT,
    TEST,
    books_verify,
    sent,
    service,
)
from tests.system.messaging_database import rows, until_found
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import (
    accounts_pb2,
    events_pb2,
    reports_pb2,
    reports_pb2_grpc,
)
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)


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
