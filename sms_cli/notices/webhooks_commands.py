"""`tukupay-sms webhooks`: where events of accounts are posted, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from rich.table import Column, Table

from service_kit.grpc.channel import open_channel
from service_kit.grpc.timestamps import to_timestamp
from sms_cli.shared.call_failures import readable_errors
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.options import instant_option
from sms_cli.shared.terminal import cell, out, print_json, print_table
from sms_cli.shared.terminal_instants import exact, shown
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb
from tukupay.sms.messaging.v1 import webhooks_pb2_grpc

webhooks = typer.Typer(
    help="Where events are posted: add, list, test, look into, replay, rotate, remove.", no_args_is_help=True
)

if TYPE_CHECKING:
    Stub = webhooks_pb2_grpc.WebhookServiceAsyncStub

_TIMEOUT_S = 20.0
_TEST_PATIENCE_S = 20.0
_LOOK_EVERY_S = 0.2
_EVENTS = {
    name.removeprefix("WEBHOOK_EVENT_").lower().replace("_", ".", 1): number
    for name, number in pb.WebhookEvent.items()
    if number
}
_STATES = {
    name.removeprefix("WEBHOOK_DELIVERY_STATE_").lower(): number
    for name, number in pb.WebhookDeliveryState.items()
    if number
}
_EVENT_WORDS = {number: word for word, number in _EVENTS.items()}
_STATE_WORDS = {number: word for word, number in _STATES.items()}

Id = Annotated[str, typer.Argument(help="The webhook's id.", metavar="WEBHOOK")]
Events = Annotated[list[str] | None, typer.Option("--event", help="What is wanted, such as sms.delivered; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@webhooks.command()
def add(
    url: Annotated[str, typer.Argument(help="An https URL.")],
    user: Annotated[str, typer.Option(help="The account whose events are wanted.")] = "user123",
    event: Events = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Post events of an account to a URL from now on. Prints the secret, which is not shown again."""
    wanted = _numbers(event or ["sms.sent", "sms.delivered", "sms.failed"])
    request = pb.CreateWebhookRequest(user_id=user, url=url, events=wanted, description=description)
    made = _asked(lambda stub: stub.CreateWebhook(request, timeout=_TIMEOUT_S))
    _show([made.webhook])
    out.print(f"secret: {made.secret}", markup=False)
    out.print("Keep it: it checks signatures, and is not shown again.")


@webhooks.command("list")
def list_webhooks(
    user: Annotated[str, typer.Option(help="The account.")] = "user123", *, as_json: AsJson = False
) -> None:
    """Show the webhooks of an account."""
    request = pb.ListWebhooksRequest(user_id=user)
    found = list(_asked(lambda stub: stub.ListWebhooks(request, timeout=_TIMEOUT_S)).webhooks)
    if as_json:
        print_json([_record(webhook) for webhook in found])
    elif found:
        _show(found)
    else:
        out.print(f"{user} has no webhooks.", markup=False)


@webhooks.command("set")
def change(
    webhook: Id,
    url: Annotated[str | None, typer.Option(help="The new URL.")] = None,
    event: Events = None,
    *,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether events are posted.")] = None,
) -> None:
    """Change a webhook; what waits goes out at once."""
    request = pb.UpdateWebhookRequest(webhook_id=webhook, url=url, events=_numbers(event or []), enabled=enabled)
    _show([_asked(lambda stub: stub.UpdateWebhook(request, timeout=_TIMEOUT_S)).webhook])


@webhooks.command()
def rotate(
    webhook: Id,
    overlap: Annotated[int | None, typer.Option(help="Seconds for which both secrets sign; a day if absent.")] = None,
) -> None:
    """Make a new secret. The present one signs beside it for a while."""
    request = pb.RotateWebhookSecretRequest(
        webhook_id=webhook, overlap=None if overlap is None else Duration(seconds=overlap)
    )
    made = _asked(lambda stub: stub.RotateWebhookSecret(request, timeout=_TIMEOUT_S))
    out.print(f"secret: {made.secret}", markup=False)
    if made.webhook.HasField("previous_secret_until_time"):
        out.print(f"The old one signs too until {shown(made.webhook.previous_secret_until_time)}.", markup=False)


@webhooks.command()
def remove(webhook: Id) -> None:
    """Delete a webhook with its secrets, and what is on its way to it."""
    request = pb.DeleteWebhookRequest(webhook_id=webhook)
    _asked(lambda stub: stub.DeleteWebhook(request, timeout=_TIMEOUT_S))
    out.print(f"{webhook} is deleted.", markup=False)


@webhooks.command()
def test(webhook: Id) -> None:
    """Post an event webhook.test, and tell what the endpoint made of it."""
    outcome = _asked(lambda stub: _tested(stub, webhook))
    _show_deliveries([outcome])
    if outcome.last_error:
        raise CommandError(
            f"the endpoint did not take it ({outcome.last_error})", "see `tukupay-sms webhooks log` for later tries"
        )


@webhooks.command("log")
def deliveries(
    webhook: Id,
    state: Annotated[str | None, typer.Option(help=f"Only {', '.join(_STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what was and is to be posted, newest first."""
    if state is not None and state not in _STATES:
        raise typer.BadParameter(f"{state!r} is none of {', '.join(_STATES)}", param_hint="--state")
    request = pb.ListWebhookDeliveriesRequest(
        webhook_id=webhook,
        state=_STATES[state] if state else pb.WEBHOOK_DELIVERY_STATE_UNSPECIFIED,
        page_size=limit,
    )
    found = list(_asked(lambda stub: stub.ListWebhookDeliveries(request, timeout=_TIMEOUT_S)).deliveries)
    if as_json:
        print_json([_delivery_record(delivery) for delivery in found])
    else:
        _show_deliveries(found)


@webhooks.command()
def replay(
    webhook: Id,
    delivery: Annotated[str | None, typer.Option(help="This delivery only.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Those recorded from here on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="To before here.")] = None,
    *,
    delivered: Annotated[bool, typer.Option("--delivered", help="Also what was taken, not only what failed.")] = False,
) -> None:
    """Post deliveries again: one, or those of a period."""
    first, after = instant_option("--from", start), instant_option("--to", end)
    request = pb.ReplayWebhookDeliveriesRequest(
        webhook_id=webhook,
        delivery_id=delivery,
        period_start=None if first is None else to_timestamp(first),
        period_end=None if after is None else to_timestamp(after),
        include_delivered=delivered,
    )
    count = _asked(lambda stub: stub.ReplayWebhookDeliveries(request, timeout=_TIMEOUT_S)).replayed
    out.print(f"{count:,} {'delivery' if count == 1 else 'deliveries'} posted again.", markup=False)


async def _tested(stub: Stub, webhook: str) -> pb.WebhookDelivery:
    test = (await stub.TestWebhook(pb.TestWebhookRequest(webhook_id=webhook), timeout=_TIMEOUT_S)).delivery
    request = pb.ListWebhookDeliveriesRequest(webhook_id=webhook, event=pb.WEBHOOK_EVENT_WEBHOOK_TEST)
    try:
        async with asyncio.timeout(_TEST_PATIENCE_S):
            while not test.HasField("last_try_time"):
                await asyncio.sleep(_LOOK_EVERY_S)
                found = (await stub.ListWebhookDeliveries(request, timeout=_TIMEOUT_S)).deliveries
                test = next((one for one in found if one.delivery_id == test.delivery_id), test)
    except TimeoutError:
        raise CommandError(
            "the test has not been posted yet", "others may be in front of it; see `tukupay-sms webhooks log`"
        ) from None
    return test


@asynccontextmanager
async def _service() -> AsyncGenerator[Stub, None]:
    messaging = client_settings().messaging
    async with open_channel(messaging) as channel:
        with readable_errors("messaging", messaging):
            yield webhooks_pb2_grpc.WebhookServiceStub(channel)


def _asked(call: Callable[[Stub], Any]) -> Any:  # noqa: ANN401 - whatever the call answers
    async def ask() -> Any:  # noqa: ANN401 - see above
        async with _service() as stub:
            return await call(stub)

    return asyncio.run(ask())


def _numbers(words: list[str]) -> list[pb.WebhookEvent.ValueType]:
    if unknown := [word for word in words if word not in _EVENTS]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(_EVENTS)}", param_hint="--event")
    return [_EVENTS[word] for word in words]


def _show(found: list[pb.Webhook]) -> None:
    table = Table(Column("webhook", no_wrap=True), "account", "url", "events", "state")
    for one in found:
        table.add_row(*map(cell, (one.webhook_id, one.user_id, one.url, "\n".join(_words(one)), _standing(one))))
    print_table(table, wraps={"url", "events", "last answer"})


def _standing(one: pb.Webhook) -> str:
    if not one.enabled:
        return f"disabled ({one.disabled_reason})" if one.disabled_reason else "disabled"
    return f"failing since {shown(one.failing_since_time)}" if one.HasField("failing_since_time") else "enabled"


def _words(one: pb.Webhook) -> list[str]:
    return [_EVENT_WORDS[event] for event in one.events]


def _show_deliveries(found: list[pb.WebhookDelivery]) -> None:
    if not found:
        out.print("Nothing was posted.")
        return
    table = Table(Column("delivery", no_wrap=True), "event", "state", "tries", "recorded", "last answer", "next try")
    for one in found:
        answer = one.last_error or (f"HTTP {one.last_status}" if one.HasField("last_status") else "")
        if one.last_error and one.HasField("last_status"):
            answer = f"HTTP {one.last_status} {one.last_error}"
        cells = (
            one.delivery_id,
            _EVENT_WORDS[one.event],
            _STATE_WORDS[one.state],
            one.tries,
            shown(one.created_time),
            answer,
            shown(one.next_try_time) if one.HasField("next_try_time") else None,
        )
        table.add_row(*map(cell, cells))
    print_table(table, wraps={"url", "events", "last answer"})


def _record(one: pb.Webhook) -> dict[str, object]:
    return {
        "webhookId": one.webhook_id,
        "userId": one.user_id,
        "url": one.url,
        "events": _words(one),
        "description": one.description,
        "enabled": one.enabled,
        "createdAt": exact(one.created_time),
        "disabledReason": one.disabled_reason or None,
        "failingSince": exact(one.failing_since_time) if one.HasField("failing_since_time") else None,
    }


def _delivery_record(one: pb.WebhookDelivery) -> dict[str, object]:
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
