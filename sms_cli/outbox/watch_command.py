"""`tukupay-sms watch`: shows what happens to messages, as it happens."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.terminal import err, out
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

if TYPE_CHECKING:
    from sms_cli.outbox.follow_watch import Following
    from tukupay.sms.messaging.v1.events_pb2_grpc import EventServiceAsyncStub


class Outcome(StrEnum):
    """The status of a message in the words of the contract."""

    pending = "pending"
    sent = "sent"
    failed = "failed"


STATUSES = {
    Outcome.pending: pb.SMS_STATUS_PENDING,
    Outcome.sent: pb.SMS_STATUS_SENT,
    Outcome.failed: pb.SMS_STATUS_FAILED,
}


def watch(
    outbox_id: Annotated[str | None, typer.Argument(help="One message, until it has ended.")] = None,
    user: Annotated[str | None, typer.Option(help="All messages of an account, until Ctrl-C.")] = None,
    status: Annotated[list[Outcome] | None, typer.Option(help="Only changes to it; may be repeated.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only messages with this tag.")] = None,
    resume: Annotated[str | None, typer.Option(help="Resume after this cursor.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for programs.")] = False,
) -> None:
    """Follow messages: show each event as it happens.

    Goes on by itself when the connection breaks, and misses nothing. At the end it prints how to go on later.
    """
    if (outbox_id is None) == (user is None):
        raise typer.BadParameter("give either one OUTBOX_ID or an account with --user")
    if outbox_id is not None and (status or tag):
        raise typer.BadParameter("--status and --tag narrow the watch of an account; leave them out")
    narrowed = [*(f"--status {each.value}" for each in status or ()), *([f"--tag {shlex.quote(tag)}"] if tag else [])]
    what = outbox_id or " ".join(["--user", shlex.quote(user or ""), *narrowed])
    following = (
        _entry(outbox_id, as_json=as_json)
        if outbox_id is not None
        else _account(user or "", [STATUSES[each] for each in status or ()], tag, as_json=as_json)
    )
    following.cursor = resume or ""
    if not asyncio.run(_to_the_end(following)) and following.cursor:
        err.print(escape(f"\nto go on from here: tukupay-sms watch {what} --resume {following.cursor}"))


async def _to_the_end(following: Following[Any]) -> bool:
    """Follows until the watch has ended; false when a person ended it before."""
    task = asyncio.current_task()
    assert task is not None, "a coroutine that runs is in a task"  # noqa: S101 - an invariant
    # Handlers of our own, because a shell starts background commands with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await following.run()
    except asyncio.CancelledError:
        return False
    return True


def _entry(outbox_id: str, *, as_json: bool) -> Following[events_pb2.WatchOutboxEntryResponse]:
    from sms_cli.outbox.follow_watch import Following  # noqa: PLC0415 - other commands start faster without it

    def opened(stub: EventServiceAsyncStub, cursor: str) -> Any:  # noqa: ANN401 - a call of grpc
        return stub.WatchOutboxEntry(events_pb2.WatchOutboxEntryRequest(outbox_id=outbox_id, cursor=cursor))

    seen = False

    def show(response: events_pb2.WatchOutboxEntryResponse) -> None:
        nonlocal seen
        if response.HasField("entry") and not seen and not as_json:
            out.print(f"[bold]{escape(outbox_id)}[/] is {state_word(response.entry.delivery_state)}")
        seen = True
        for event in response.events:
            _print(event, response.cursor, as_json=as_json)

    return Following(client_settings().messaging, opened, show, _interrupted, lambda: _begun(outbox_id))


def _account(
    user: str, statuses: list[pb.SmsStatus.ValueType], tag: str | None, *, as_json: bool
) -> Following[events_pb2.WatchOutboxResponse]:
    from sms_cli.outbox.follow_watch import Following  # noqa: PLC0415 - see _entry

    def opened(stub: EventServiceAsyncStub, cursor: str) -> Any:  # noqa: ANN401 - a call of grpc
        return stub.WatchOutbox(events_pb2.WatchOutboxRequest(user_id=user, statuses=statuses, tag=tag, cursor=cursor))

    def show(response: events_pb2.WatchOutboxResponse) -> None:
        for event in response.events:
            _print(event, response.cursor, as_json=as_json)

    return Following(client_settings().messaging, opened, show, _interrupted, lambda: _begun(user))


def _begun(what: str) -> None:
    err.print(escape(f"watching {what}; Ctrl-C ends it"))


def _interrupted(reason: str, pause_s: float) -> None:
    err.print(escape(f"messaging: {reason}; watching again in {pause_s:g} s"))


def _print(event: events_pb2.OutboxEvent, cursor: str, *, as_json: bool) -> None:
    if as_json:
        # One line each and flushed, for programs at the other end of a pipe.
        print(json.dumps({**event_record(event), "cursor": cursor}, ensure_ascii=False), flush=True)  # noqa: T201
    else:
        out.print(escape(event_line(event)))


def state_word(state: pb.DeliveryState.ValueType) -> str:
    """The state as REST spells it."""
    return enum_word(pb.DeliveryState, state)


def event_record(event: events_pb2.OutboxEvent) -> dict[str, object]:
    """The event as JSON, without what was not set."""
    record: dict[str, object] = {
        "at": shown(event.event_time),
        "outboxId": event.outbox_id,
        "messageId": event.message_id,
        "eventId": event.event_id,
        "attempt": event.attempt,
        "fromState": state_word(event.from_state) if event.from_state else None,
        "toState": state_word(event.to_state),
        "status": enum_word(pb.SmsStatus, event.status),
    }
    if event.mode == access_pb2.ACCESS_MODE_TEST:
        record["mode"] = "test"
    if event.HasField("carrier"):
        record["carrier"] = event.carrier
    if event.HasField("error_code"):
        record |= {"errorCode": event.error_code, "errorDetails": event.error_details}
    return record


def event_line(event: events_pb2.OutboxEvent) -> str:
    """The event in one line for a person."""
    before = f"{state_word(event.from_state)} -> " if event.from_state else ""
    parts = [shown(event.event_time), event.outbox_id, event.message_id, f"{before}{state_word(event.to_state)}"]
    if event.attempt > 1:
        parts.append(f"attempt {event.attempt}")
    if event.HasField("carrier"):
        parts.append(event.carrier)
    if event.HasField("error_code"):
        parts.append(f"{event.error_code}: {event.error_details}")
    # Without an id of the client's, the message id is the outbox id, which is shown once.
    return "  ".join(dict.fromkeys(parts))
