"""What is kept beside a price derives it again exactly, whatever the book did in that very moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.messaging.prices.test_live_prices_with_pricing import (
    APP_OWNER,
    DIRECT,
    SPECIFIC,
    Pricing,
    messaging_on,
    pricing,
    shows,
)
from tests.integration.messaging.running_service import Running
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import reports_pb2, reports_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2

__all__ = ["pricing"]

ACCEPTED_ONLY = Duration(nanos=1)


def stamp(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant)
    return made


@pytest.fixture
async def service(pricing: Pricing, database_url: str) -> AsyncIterator[Running]:
    async with messaging_on(pricing, database_url, window=50) as running:
        yield running


async def derived(pricing: Pricing, entry: pb.OutboxEntry) -> pricing_pb2.Cost:
    """The row that the book gives for what the entry kept."""
    request = pricing_pb2.ResolvePriceRequest(
        customer_id=entry.user_id,
        app_id=entry.app_id if entry.HasField("app_id") else None,
        at=entry.priced_time,
        known_at=entry.price_known_time,
    )
    return (await pricing.stub.ResolvePrice(request)).cost


async def audited(service: Running) -> tuple[list[reports_pb2.CostException], reports_pb2.AuditTotals]:
    stub = reports_pb2_grpc.ReportServiceStub(service.channel)
    now = datetime.now(UTC)
    request = reports_pb2.AuditCostsRequest(period_start=stamp(now - timedelta(hours=1)), period_end=stamp(now))
    answers = [answer async for answer in stub.AuditCosts(request)]
    return [exception for answer in answers for exception in answer.exceptions], answers[-1].totals


async def test_messages_of_the_very_moments_of_changes_are_never_called_mispriced(
    service: Running, pricing: Pricing
) -> None:
    senders = [(user, app) for user in ("a", "b") for app in (None, "x")]
    ended = asyncio.Event()

    async def change() -> None:
        for number in range(40):
            level, entity = ((SPECIFIC, "a"), (APP_OWNER, "x"), (DIRECT, None))[number % 3]
            # Some take effect at once and some in the past; some of the future are withdrawn again.
            after_s = (-60.0, 0.0, 0.05)[number % 3]
            await pricing.set(level, 500_000 + number, entity, after_s=after_s)
            if number % 5 == 0:
                await pricing.withdraw(await pricing.set(SPECIFIC, 1, "b", after_s=3_600))
        ended.set()

    async def send(user: str, app: str | None) -> list[pb.OutboxEntry]:
        sent: list[pb.OutboxEntry] = []
        while not ended.is_set() or len(sent) < 20:
            soon = stamp(datetime.now(UTC) + timedelta(hours=2)) if len(sent) % 4 == 0 else None
            response = await service.send(user_id=user, app_id=app, scheduled_time=soon, outcome_wait=ACCEPTED_ONLY)
            sent.append(response.entry)
        return sent

    changing = asyncio.create_task(change())
    sent = await asyncio.gather(*(send(user, app) for user, app in senders))
    await changing
    entries = [entry for each in sent for entry in each]
    for entry in entries:
        if entry.HasField("scheduled_time"):
            assert entry.priced_time == entry.scheduled_time
        cost = await derived(pricing, entry)
        assert (cost.cost_id, cost.price_micros) == (entry.price_cost_id, entry.unit_price_micros)
    exceptions, totals = await audited(service)
    assert (totals.entries, totals.as_known_then, totals.approximate_entries) == (len(entries), len(entries), 0)
    # Only what was entered for the past, taken back for the future, or had not been heard of.
    allowed = {
        reports_pb2.COST_EXCEPTION_CAUSE_WITHDRAWN,
        reports_pb2.COST_EXCEPTION_CAUSE_LATE_ENTRY,
        reports_pb2.COST_EXCEPTION_CAUSE_REVISED_AFTER,
        reports_pb2.COST_EXCEPTION_CAUSE_STALE_PRICE,
    }
    assert {each.cause for each in exceptions} <= allowed
    for each in exceptions:
        if each.cause == reports_pb2.COST_EXCEPTION_CAUSE_STALE_PRICE:
            age = each.created_time.ToDatetime() - each.price_known_time.ToDatetime()
            assert age < timedelta(seconds=60)


async def test_a_price_that_was_used_stale_is_told_from_one_that_was_entered_late(
    pricing: Pricing, database_url: str
) -> None:
    async with messaging_on(pricing, database_url, price_heartbeat_s=60.0) as service:
        first = (await service.send()).entry
        # The replica that the copy follows falls silent; another one records a change.
        await pricing.stop()
        other = Pricing(pricing.url)
        await other.start()
        await other.set(SPECIFIC, 500_000, "user123")
        stale = (await service.send()).entry
        await pricing.start()
        # The connection to it is found again.
        await shows(service, 800_000, user="new")
        assert (first.unit_price_micros, stale.unit_price_micros) == (800_000, 800_000)
        exceptions, totals = await audited(service)
        await other.stop()
    assert [(each.outbox_id, each.cause) for each in exceptions] == [
        (first.outbox_id, reports_pb2.COST_EXCEPTION_CAUSE_LATE_ENTRY),
        (stale.outbox_id, reports_pb2.COST_EXCEPTION_CAUSE_STALE_PRICE),
    ]
    assert (totals.as_known_then, totals.approximate_entries) == (2, 0)
    assert exceptions[1].priced_time.ToDatetime() > exceptions[0].priced_time.ToDatetime()


async def test_a_repetition_answers_with_what_was_kept(service: Running) -> None:
    first = (await service.send(message_id="m1")).entry
    again = await service.send(message_id="m1")
    assert again.replayed
    assert (again.entry.priced_time, again.entry.price_known_time) == (first.priced_time, first.price_known_time)
    age = first.created_time.ToDatetime() - first.priced_time.ToDatetime()
    assert abs(age) < timedelta(seconds=1)
    assert first.price_known_time.ToDatetime() < first.priced_time.ToDatetime()
