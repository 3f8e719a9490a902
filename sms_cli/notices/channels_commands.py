"""`tukupay-sms alerts channels`: where people are told of alerts, and what became of each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from service_kit.grpc.channel import open_channel
from service_kit.grpc.timestamps import to_timestamp
from sms_cli.shared.call_failures import readable_errors
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import instant_option
from sms_cli.shared.terminal import cell, out, print_json, print_table
from sms_cli.shared.terminal_instants import exact, shown
from tukupay.sms.messaging.v1 import channels_pb2 as pb
from tukupay.sms.messaging.v1 import channels_pb2_grpc

channels = typer.Typer(
    help="Where people are told of alerts: add, list, set, test, look into, replay, remove.", no_args_is_help=True
)

if TYPE_CHECKING:
    Stub = channels_pb2_grpc.ChannelServiceAsyncStub

_TIMEOUT_S = 60.0
_TEST_PATIENCE_S = 90.0
_LOOK_EVERY_S = 0.2
_EVENTS = {
    name.removeprefix("CHANNEL_EVENT_").lower().replace("_", ".", 1): number
    for name, number in pb.ChannelEvent.items()
    if number not in {pb.CHANNEL_EVENT_UNSPECIFIED, pb.CHANNEL_EVENT_TEST}
}
_STATES = {
    name.removeprefix("CHANNEL_DELIVERY_STATE_").lower(): number
    for name, number in pb.ChannelDeliveryState.items()
    if number
}
_EVENT_WORDS = {number: word for word, number in _EVENTS.items()} | {pb.CHANNEL_EVENT_TEST: "channel.test"}
_STATE_WORDS = {number: word for word, number in _STATES.items()}

Id = Annotated[str, typer.Argument(help="The channel's id.", metavar="CHANNEL")]
Events = Annotated[list[str] | None, typer.Option("--event", help="What is wanted, such as sms.failed; repeatable.")]
Target = Annotated[
    str,
    typer.Argument(
        help="An email address, or the URL of a room, such as slack://…; - reads it from standard input, so that "
        "its secrets do not get into the history of your shell.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@channels.command()
def add(
    target: Target,
    user: Annotated[str, typer.Option(help="The account whose events are wanted.")] = "user123",
    event: Events = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Tell people of every alert of an account from now on, or of what --event names."""
    url, email = _target(target)
    request = pb.CreateChannelRequest(
        user_id=user, url=url, email=email, events=_numbers(event or []), description=description
    )
    _show([_asked(lambda stub: stub.CreateChannel(request, timeout=_TIMEOUT_S)).channel])


@channels.command("list")
def list_channels(
    user: Annotated[str, typer.Option(help="The account.")] = "user123", *, as_json: AsJson = False
) -> None:
    """Show the channels of an account, without the secrets of their targets."""
    request = pb.ListChannelsRequest(user_id=user)
    found = list(_asked(lambda stub: stub.ListChannels(request, timeout=_TIMEOUT_S)).channels)
    if as_json:
        print_json([_record(channel) for channel in found])
    elif found:
        _show(found)
    else:
        out.print(f"{user} has no channels.", markup=False)


@channels.command("set")
def change(
    channel: Id,
    target: Annotated[str | None, typer.Option(help="The new target, of the same kind; - reads it.")] = None,
    event: Events = None,
    *,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is told anything.")] = None,
) -> None:
    """Change a channel; what waits goes out at once."""
    url, email = ("", "") if target is None else _target(target)
    request = pb.UpdateChannelRequest(
        channel_id=channel, url=url or None, email=email or None, events=_numbers(event or []), enabled=enabled
    )
    _show([_asked(lambda stub: stub.UpdateChannel(request, timeout=_TIMEOUT_S)).channel])


@channels.command()
def remove(channel: Id) -> None:
    """Delete a channel with its target, and what is on its way to it."""
    request = pb.DeleteChannelRequest(channel_id=channel)
    _asked(lambda stub: stub.DeleteChannel(request, timeout=_TIMEOUT_S))
    out.print(f"{channel} is deleted.", markup=False)


@channels.command()
def test(channel: Id) -> None:
    """Send a test, and tell what became of it."""
    outcome = _asked(lambda stub: _tested(stub, channel))
    _show_deliveries([outcome])
    if outcome.last_error:
        raise CommandError(
            f"the channel did not take it ({outcome.last_error})",
            "see `tukupay-sms alerts channels log` for later tries",
        )


@channels.command("log")
def deliveries(
    channel: Id,
    state: Annotated[str | None, typer.Option(help=f"Only {', '.join(_STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what was and is to be told, newest first."""
    if state is not None and state not in _STATES:
        raise typer.BadParameter(f"{state!r} is none of {', '.join(_STATES)}", param_hint="--state")
    request = pb.ListChannelDeliveriesRequest(
        channel_id=channel,
        state=_STATES[state] if state else pb.CHANNEL_DELIVERY_STATE_UNSPECIFIED,
        page_size=limit,
    )
    found = list(_asked(lambda stub: stub.ListChannelDeliveries(request, timeout=_TIMEOUT_S)).deliveries)
    if as_json:
        print_json([_delivery_record(delivery) for delivery in found])
    else:
        _show_deliveries(found)


@channels.command()
def replay(
    channel: Id,
    delivery: Annotated[str | None, typer.Option(help="This delivery only.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Those recorded from here on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="To before here.")] = None,
) -> None:
    """Tell of events again: of one, or in one text of those of a period that were given up."""
    first, after = instant_option("--from", start), instant_option("--to", end)
    request = pb.ReplayChannelDeliveriesRequest(
        channel_id=channel,
        delivery_id=delivery,
        period_start=None if first is None else to_timestamp(first),
        period_end=None if after is None else to_timestamp(after),
    )
    count = _asked(lambda stub: stub.ReplayChannelDeliveries(request, timeout=_TIMEOUT_S)).replayed
    out.print(f"{count:,} {'event is' if count == 1 else 'events are'} told again.", markup=False)


def _target(text: str) -> tuple[str, str]:
    """The URL or the email address that a target is; the other is empty."""
    target = sys.stdin.readline().strip() if text == "-" else text
    if not target:
        raise typer.BadParameter("is empty; give an email address, or the URL of a room", param_hint="TARGET")
    return (target, "") if "://" in target else ("", target)


async def _tested(stub: Stub, channel: str) -> pb.ChannelDelivery:
    test = (await stub.TestChannel(pb.TestChannelRequest(channel_id=channel), timeout=_TIMEOUT_S)).delivery
    request = pb.ListChannelDeliveriesRequest(channel_id=channel, event=pb.CHANNEL_EVENT_TEST)
    try:
        async with asyncio.timeout(_TEST_PATIENCE_S):
            while not test.HasField("last_try_time"):
                await asyncio.sleep(_LOOK_EVERY_S)
                found = (await stub.ListChannelDeliveries(request, timeout=_TIMEOUT_S)).deliveries
                test = next((one for one in found if one.delivery_id == test.delivery_id), test)
    except TimeoutError:
        raise CommandError(
            "the test has not been sent yet", "others may be in front of it; see `tukupay-sms alerts channels log`"
        ) from None
    return test


@asynccontextmanager
async def _service() -> AsyncGenerator[Stub, None]:
    messaging = client_settings().messaging
    async with open_channel(messaging) as channel:
        with readable_errors("messaging", messaging):
            yield channels_pb2_grpc.ChannelServiceStub(channel)


def _asked(call: Callable[[Stub], Any]) -> Any:  # noqa: ANN401 - whatever the call answers
    async def ask() -> Any:  # noqa: ANN401 - see above
        async with _service() as stub:
            return await call(stub)

    return asyncio.run(ask())


def _numbers(words: list[str]) -> list[pb.ChannelEvent.ValueType]:
    if unknown := [word for word in words if word not in _EVENTS]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(_EVENTS)}", param_hint="--event")
    return [_EVENTS[word] for word in words]


def _show(found: list[pb.Channel]) -> None:
    table = Table("channel", "account", "target", "events", "state")
    for one in found:
        table.add_row(*map(cell, (one.channel_id, one.user_id, one.target, "\n".join(_words(one)), _standing(one))))
    print_table(table, wraps={"target", "events", "last answer"})


def _standing(one: pb.Channel) -> str:
    if not one.enabled:
        return f"disabled ({one.disabled_reason})" if one.disabled_reason else "disabled"
    return f"failing since {shown(one.failing_since_time)}" if one.HasField("failing_since_time") else "enabled"


def _words(one: pb.Channel) -> list[str]:
    return [_EVENT_WORDS[event] for event in one.events]


def _show_deliveries(found: list[pb.ChannelDelivery]) -> None:
    if not found:
        out.print("Nothing was told.")
        return
    table = Table("delivery", "event", "state", "tries", "recorded", "last answer", "next try")
    for one in found:
        status = f"HTTP {one.last_status}" if one.HasField("last_status") else ""
        cells = (
            one.delivery_id,
            _EVENT_WORDS[one.event],
            _STATE_WORDS[one.state],
            one.tries,
            shown(one.created_time),
            f"{status} {one.last_error}".strip(),
            shown(one.next_try_time) if one.HasField("next_try_time") else None,
        )
        table.add_row(*map(cell, cells))
    print_table(table, wraps={"target", "events", "last answer"})


def _record(one: pb.Channel) -> dict[str, object]:
    return {
        "channelId": one.channel_id,
        "userId": one.user_id,
        "kind": "email" if one.kind == pb.CHANNEL_KIND_EMAIL else "service",
        "target": one.target,
        "events": _words(one),
        "description": one.description,
        "enabled": one.enabled,
        "createdAt": exact(one.created_time),
        "disabledReason": one.disabled_reason or None,
        "failingSince": exact(one.failing_since_time) if one.HasField("failing_since_time") else None,
    }


def _delivery_record(one: pb.ChannelDelivery) -> dict[str, object]:
    return {
        "deliveryId": one.delivery_id,
        "eventId": one.event_id,
        "event": _EVENT_WORDS[one.event],
        "state": _STATE_WORDS[one.state],
        "tries": one.tries,
        "createdAt": exact(one.created_time),
        "lastStatus": one.last_status if one.HasField("last_status") else None,
        "lastError": one.last_error or None,
        "replays": one.replays,
    }
