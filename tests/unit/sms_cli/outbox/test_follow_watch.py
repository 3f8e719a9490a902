"""A watch at the terminal outlives its connections, and goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc import aio

from service_kit.settings import Address
from sms_cli.outbox import follow_watch as following
from sms_cli.outbox.follow_watch import Following
from sms_cli.outbox.watch_command import event_line, event_record
from sms_cli.shared.command_error import CommandError
from tukupay.sms.messaging.v1 import events_pb2, events_pb2_grpc
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

OUTBOX_ID = "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"


class Scripted(events_pb2_grpc.EventServiceServicer):
    """Answers each watch with its next script: cursors, then a status to end with, or None for a good end."""

    def __init__(self, *scripts: tuple[list[str], grpc.StatusCode | None]) -> None:
        self._scripts = list(scripts)
        self.asked: list[str] = []

    async def WatchOutboxEntry(self, request: Any, context: Any) -> AsyncIterator[events_pb2.WatchOutboxEntryResponse]:  # noqa: N802
        self.asked.append(request.cursor)
        cursors, status = self._scripts.pop(0)
        for cursor in cursors:
            yield events_pb2.WatchOutboxEntryResponse(cursor=cursor)
        if status is not None:
            await context.abort(status, "over")


@asynccontextmanager
async def serving(*scripts: tuple[list[str], grpc.StatusCode | None]) -> AsyncIterator[tuple[Scripted, Address]]:
    servicer = Scripted(*scripts)  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED
    server = aio.server()
    events_pb2_grpc.add_EventServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield servicer, Address("127.0.0.1", port)
    finally:
        await server.stop(None)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FIRST_PAUSE_S", 0.0)


async def follow(address: Address, told: list[str]) -> Following[events_pb2.WatchOutboxEntryResponse]:
    def opened(stub: Any, cursor: str) -> Any:
        return stub.WatchOutboxEntry(events_pb2.WatchOutboxEntryRequest(outbox_id=OUTBOX_ID, cursor=cursor))

    watch = Following(
        address,
        opened,
        lambda response: told.append(response.cursor),
        lambda reason, _: told.append(f"broken: {reason}"),
        lambda: told.append("begun"),
    )
    await watch.run()
    return watch


async def test_a_broken_watch_goes_on_from_the_last_cursor_that_was_shown() -> None:
    told: list[str] = []
    async with serving(
        (["a", "b"], grpc.StatusCode.UNAVAILABLE), ([], grpc.StatusCode.RESOURCE_EXHAUSTED), (["c"], None)
    ) as (servicer, address):
        watch = await follow(address, told)
    assert servicer.asked == ["", "b", "b"]
    assert told == ["begun", "a", "b", "broken: over", "broken: over", "c"]
    assert watch.cursor == "c"


@pytest.mark.parametrize("before", [[], ["a"]])
async def test_a_refusal_is_told_and_not_repeated(before: list[str]) -> None:
    async with serving((before, grpc.StatusCode.INVALID_ARGUMENT)) as (servicer, address):
        with pytest.raises(CommandError):
            await follow(address, [])
    assert len(servicer.asked) == 1


async def test_a_service_that_was_never_reached_is_told_at_once() -> None:
    async with serving() as (_, address):
        pass
    with pytest.raises(CommandError, match="does not answer"):
        await follow(address, [])


def test_an_event_is_shown_in_one_line_and_as_json() -> None:
    event = events_pb2.OutboxEvent(
        event_id=9,
        outbox_id=OUTBOX_ID,
        user_id="user123",
        message_id=OUTBOX_ID,
        attempt=2,
        from_state=pb.DELIVERY_STATE_SUBMITTING,
        to_state=pb.DELIVERY_STATE_REFUSED,
        status=pb.SMS_STATUS_FAILED,
        carrier="sandbox",
        error_code="INVALID_RECIPIENT",
        error_details="Check the number.",
    )
    event.event_time.FromJsonString("2026-01-31T08:00:00.25Z")
    assert event_line(event) == (
        f"2026-01-31T08:00:00.250Z  {OUTBOX_ID}  submitting -> refused  attempt 2  sandbox  "
        "INVALID_RECIPIENT: Check the number."
    )
    assert event_record(event) == {
        "at": "2026-01-31T08:00:00.250Z",
        "outboxId": OUTBOX_ID,
        "messageId": OUTBOX_ID,
        "eventId": 9,
        "attempt": 2,
        "fromState": "submitting",
        "toState": "refused",
        "status": "failed",
        "carrier": "sandbox",
        "errorCode": "INVALID_RECIPIENT",
        "errorDetails": "Check the number.",
    }
