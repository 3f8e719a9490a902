"""Watches of accounts and entries, over real gRPC and PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from messaging_service.carriers.domain.submission import ReceiptState
from service_kit.errors import Kind
from service_kit.grpc.channel import open_channel
from tests.contract.sms_examples import refused
from tests.integration.messaging.conftest import receipt
from tests.integration.messaging.running_service import Running, refusal_of, service_on
from tests.system.messaging_database import STAYS_OPEN, rows
from tukupay.sms.messaging.v1 import events_pb2, events_pb2_grpc
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

S = pb.DeliveryState
NEW = S.DELIVERY_STATE_UNSPECIFIED
SUBMITTING, ACCEPTED, DELIVERED = S.DELIVERY_STATE_SUBMITTING, S.DELIVERY_STATE_ACCEPTED, S.DELIVERY_STATE_DELIVERED
REFUSED, READY = S.DELIVERY_STATE_REFUSED, S.DELIVERY_STATE_READY
OFTEN = Duration(nanos=100_000_000)
SELDOM = Duration(seconds=60)
LATE = """
    INSERT INTO message_event (message_id, attempt, to_state, actor)
    VALUES (%(id)s, 1, 'delivered', 'late') RETURNING id
"""
NOBODY = "outbox_" + "0" * 32


def watch(service: Running, user_id: str = "user123", **fields: Any) -> Any:
    return service.events.WatchOutbox(
        events_pb2.WatchOutboxRequest(user_id=user_id, **{"heartbeat_interval": SELDOM, **fields}), timeout=30
    )


def watch_entry(service: Running, outbox_id: str, **fields: Any) -> Any:
    return service.events.WatchOutboxEntry(
        events_pb2.WatchOutboxEntryRequest(outbox_id=outbox_id, **{"heartbeat_interval": SELDOM, **fields}), timeout=30
    )


async def events(call: Any, count: int) -> list[events_pb2.OutboxEvent]:
    """That many events of a stream."""
    found: list[events_pb2.OutboxEvent] = []
    while len(found) < count:
        found += (await call.read()).events
    return found


def changes(found: list[events_pb2.OutboxEvent]) -> list[tuple[int, int]]:
    return [(event.from_state, event.to_state) for event in found]


async def all_of(call: Any) -> list[Any]:
    """What is left of a stream."""
    found = []
    while (response := await call.read()) is not aio.EOF:
        found.append(response)
    return found


async def test_an_account_is_watched_from_now_on(service: Running) -> None:
    await service.send(message_id="before")
    call = watch(service)
    first = await call.read()
    assert not first.events
    assert first.cursor
    sent = (await service.send(message_id="after")).entry
    await service.send(user_id="somebody")
    found = await events(call, 2)
    assert changes(found) == [(NEW, SUBMITTING), (SUBMITTING, ACCEPTED)]
    assert {(event.outbox_id, event.user_id, event.message_id) for event in found} == {
        (sent.outbox_id, "user123", "after")
    }
    await service.sinks[0].receipts([receipt(f"{sent.outbox_id[-12:]}0")])
    assert changes(await events(call, 1)) == [(ACCEPTED, DELIVERED)]


async def test_what_happened_while_nobody_watched_comes_after_the_cursor(service: Running) -> None:
    call = watch(service)
    cursor = (await call.read()).cursor
    first = (await service.send()).entry
    await events(call, 2)
    call.cancel()
    second = (await service.send()).entry
    # From before the first: at least once.
    again = watch(service, cursor=cursor)
    found = await events(again, 4)
    assert [event.outbox_id for event in found] == [first.outbox_id] * 2 + [second.outbox_id] * 2
    third = (await service.send()).entry
    assert {event.outbox_id for event in await events(again, 2)} == {third.outbox_id}


async def test_another_replica_goes_on_where_the_first_one_stopped(service: Running, database_url: str) -> None:
    call = watch(service)
    cursor = (await call.read()).cursor
    async with service_on(database_url) as other:
        sent = (await service.send()).entry
        resumed = watch(other, cursor=cursor)
        assert {event.outbox_id for event in await events(resumed, 2)} == {sent.outbox_id}
        # And hears of what its neighbour does.
        later = (await service.send()).entry
        assert {event.outbox_id for event in await events(resumed, 2)} == {later.outbox_id}


async def test_a_transaction_left_open_holds_up_no_watch_and_loses_nothing(service: Running, database_url: str) -> None:
    call = watch(service)
    cursor = (await call.read()).cursor
    entry = (await service.send()).entry
    await events(call, 2)
    async with await psycopg.AsyncConnection.connect(database_url, options=STAYS_OPEN) as left_open:
        late = await (await left_open.execute(LATE, {"id": entry.outbox_id.removeprefix("outbox_")})).fetchone()
        assert late is not None
        for _ in range(3):
            sent = (await service.send()).entry
            found = await events(call, 2)
            assert {event.outbox_id for event in found} == {sent.outbox_id}
            assert found[0].event_id > late[0]
        await left_open.commit()
    assert [event.event_id for event in await events(call, 1)] == [late[0]]
    # Whoever comes back from before all of it hears of it as well.
    again = [event.event_id for event in await events(watch(service, cursor=cursor), 9)]
    assert again == sorted(again)
    assert late[0] in again


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"statuses": [pb.SMS_STATUS_FAILED]}, [("plain", REFUSED), ("otp", REFUSED)]),
        ({"statuses": [pb.SMS_STATUS_FAILED], "tag": "OTP"}, [("otp", REFUSED)]),
        ({"states": [SUBMITTING], "tag": "OTP"}, [("otp", SUBMITTING)]),
        ({"tag": "OTP"}, [("otp", SUBMITTING), ("otp", REFUSED)]),
    ],
)
@pytest.mark.parametrize("live", [True, False])
async def test_a_watch_can_be_narrowed(service: Running, wanted: Any, expected: Any, *, live: bool) -> None:
    service.carrier.answer = lambda _: refused()
    call = watch(service, **wanted)
    cursor = (await call.read()).cursor
    for name, tags in (("plain", []), ("otp", ["login", "OTP"])):
        await service.send(message_id=name, tags=tags)
    if not live:
        call = watch(service, cursor=cursor, **wanted)
    found = await events(call, len(expected))
    assert [(event.message_id, event.to_state) for event in found] == expected


async def test_a_silence_is_broken_with_a_newer_cursor(service: Running) -> None:
    call = watch(service, heartbeat_interval=OFTEN)
    first = (await call.read()).cursor
    await service.send(user_id="somebody")
    async with asyncio.timeout(20):
        while (heartbeat := await call.read()).cursor == first:
            pass
    assert not heartbeat.events


async def test_an_entry_is_watched_to_its_end(service: Running) -> None:
    entry = (await service.send()).entry
    call = watch_entry(service, entry.outbox_id)
    first = await call.read()
    assert (first.entry.outbox_id, first.entry.delivery_state) == (entry.outbox_id, ACCEPTED)
    assert not first.events
    await service.sinks[0].receipts([receipt(f"{entry.outbox_id[-12:]}0", ReceiptState.DELIVERED)])
    rest = await all_of(call)
    assert changes([event for response in rest for event in response.events]) == [(ACCEPTED, DELIVERED)]
    assert not any(response.HasField("entry") for response in rest)


async def test_an_entry_that_has_ended_is_shown_with_what_was_missed(service: Running) -> None:
    entry = (await service.send()).entry
    call = watch_entry(service, entry.outbox_id)
    cursor = (await call.read()).cursor
    call.cancel()
    await service.sinks[0].receipts([receipt(f"{entry.outbox_id[-12:]}0", ReceiptState.UNDELIVERABLE)])
    live = watch_entry(service, entry.outbox_id)
    await all_of(live)
    (response,) = await all_of(watch_entry(service, entry.outbox_id, cursor=cursor))
    assert response.entry.delivery_state == S.DELIVERY_STATE_UNDELIVERED
    assert changes(list(response.events)) == [(ACCEPTED, S.DELIVERY_STATE_UNDELIVERED)]
    (again,) = await all_of(watch_entry(service, entry.outbox_id, cursor=response.cursor))
    assert not again.events


@pytest.mark.parametrize("outbox_id", [NOBODY, "outbox456"])
async def test_an_entry_that_does_not_exist_cannot_be_watched(service: Running, outbox_id: str) -> None:
    error = await refusal_of(watch_entry(service, outbox_id).read())
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND")


async def test_a_cursor_from_elsewhere_is_refused_with_a_remedy(service: Running, database_url: str) -> None:
    entry = (await service.send()).entry
    theirs = (await watch(service, "somebody").read()).cursor
    entrys = (await watch_entry(service, entry.outbox_id).read()).cursor
    mine = (await watch(service).read()).cursor
    for call in (
        watch(service, cursor=theirs),
        watch(service, cursor=entrys),
        watch(service, cursor="garbage"),
        watch_entry(service, entry.outbox_id, cursor=mine),
    ):
        error = await refusal_of(call.read())
        assert (error.kind, [violation.field for violation in error.violations]) == (Kind.INVALID, ["cursor"])
    # As after a restore of an older copy.
    await rows(database_url, "DELETE FROM message_event")
    for call in (watch(service, cursor=mine), watch_entry(service, entry.outbox_id, cursor=entrys)):
        error = await refusal_of(call.read())
        assert "another" in error.violations[0].description


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("user_id", {"user_id": ""}),
        ("tag", {"tag": ""}),
        ("statuses", {"statuses": [9]}),
        ("statuses", {"statuses": [0]}),
        ("states", {"states": [99]}),
        ("states", {"states": [DELIVERED], "statuses": [pb.SMS_STATUS_FAILED]}),
        ("heartbeat_interval", {"heartbeat_interval": Duration(seconds=61)}),
        ("heartbeat_interval", {"heartbeat_interval": Duration(nanos=1)}),
    ],
)
async def test_a_request_at_fault_is_refused_by_field(service: Running, field: str, fields: Any) -> None:
    error = await refusal_of(watch(service, **fields).read())
    assert (error.kind, [violation.field for violation in error.violations]) == (Kind.INVALID, [field])


async def test_watches_are_bounded_and_a_slow_one_is_ended(database_url: str) -> None:
    async with service_on(database_url, max_watches=1, watch_buffer=3) as service:
        call = watch(service)
        cursor = (await call.read()).cursor
        error = await refusal_of(watch(service).read())
        assert (error.kind, error.reason) == (Kind.OVERLOADED, "TOO_MANY_WATCHES")
        # More in one commit than may wait for it.
        await service.batch([pb.SendSmsRequest(**_message(number)) for number in range(20)])
        error = await refusal_of(events(call, 1_000))
        assert (error.kind, error.reason) == (Kind.OVERLOADED, "WATCHER_TOO_SLOW")
        recorded = [row[0] for row in await rows(database_url, "SELECT id FROM message_event ORDER BY id")]
        found = await events(watch(service, cursor=cursor), len(recorded))
        assert [event.event_id for event in found] == recorded


def _message(number: int) -> dict[str, Any]:
    return {
        "user_id": "user123",
        "recipient_phone_number": f"+25471234{number:04}",
        "message": "Hello",
        "sender_id": "TUKUPAY",
        "outcome_wait": Duration(seconds=10),
    }


async def test_watches_end_with_a_word_when_the_service_does(database_url: str) -> None:
    async with service_on(database_url) as service:
        channel = open_channel(service.address)
        stub = events_pb2_grpc.EventServiceStub(channel)
        entry = (await service.send()).entry
        account = stub.WatchOutbox(events_pb2.WatchOutboxRequest(user_id="user123"))
        one = stub.WatchOutboxEntry(events_pb2.WatchOutboxEntryRequest(outbox_id=entry.outbox_id))
        await account.read()
        await one.read()
    for call in (account, one):
        error = await refusal_of(all_of(call))
        assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "SHUTTING_DOWN")
    await channel.close()
