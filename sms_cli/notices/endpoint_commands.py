"""`tukupay-sms webhooks` and `alerts channels`: where events are delivered, and the deliveries."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration

from sms_cli.notices.endpoint_family import EndpointFamily, Sentences
from sms_cli.shared.options import AsJson, instant_option
from sms_cli.shared.terminal import out
from sms_cli.shared.terminal_instants import shown
from tukupay.sms.messaging.v1 import channels_pb2, webhooks_pb2
from tukupay.sms.messaging.v1.channels_pb2_grpc import ChannelServiceStub
from tukupay.sms.messaging.v1.webhooks_pb2_grpc import WebhookServiceStub

webhooks = typer.Typer(help="Webhooks: add, list, test, log, replay, rotate, remove.", no_args_is_help=True)
channels = typer.Typer(
    help="Channels, to which alerts are sent: add, list, set, test, log, replay, remove.", no_args_is_help=True
)

WEBHOOKS = EndpointFamily(
    noun="webhook",
    commands="webhooks",
    messages=webhooks_pb2,
    stub=WebhookServiceStub,
    test_event=webhooks_pb2.WEBHOOK_EVENT_WEBHOOK_TEST,
    test_word="webhook.test",
    target_column="url",
    target_record=lambda one: {"url": one.url},
    sentences=Sentences("Nothing was posted.", "the test has not been posted yet", "the endpoint did not take it"),
    deadline_s=20.0,
    test_patience_s=20.0,
    can_ask_for_test=True,
)
CHANNELS = EndpointFamily(
    noun="channel",
    commands="alerts channels",
    messages=channels_pb2,
    stub=ChannelServiceStub,
    test_event=channels_pb2.CHANNEL_EVENT_TEST,
    test_word="channel.test",
    target_column="target",
    target_record=lambda one: {
        "kind": "email" if one.kind == channels_pb2.CHANNEL_KIND_EMAIL else "service",
        "target": one.target,
    },
    sentences=Sentences("Nothing was sent.", "the test has not been sent yet", "the channel did not take it"),
    # Mail servers and messengers may take long.
    deadline_s=60.0,
    test_patience_s=90.0,
)

Webhook = Annotated[str, typer.Argument(help="The webhook's id.", metavar="WEBHOOK")]
Channel = Annotated[str, typer.Argument(help="The channel's id.", metavar="CHANNEL")]
WebhookEvents = Annotated[
    list[str] | None, typer.Option("--event", help="An event to subscribe to, such as sms.delivered; may be repeated.")
]
ChannelEvents = Annotated[
    list[str] | None, typer.Option("--event", help="An event to subscribe to, such as sms.failed; may be repeated.")
]
Target = Annotated[
    str,
    typer.Argument(
        help="An email address, or the URL of a room, such as slack://…; - reads it from standard input, so that "
        "its secrets do not get into the history of your shell.",
    ),
]
User = Annotated[str, typer.Option(help="The account.")]
EventsOf = Annotated[str, typer.Option(help="The account whose events it receives.")]
Description = Annotated[str, typer.Option(help="What it is for.")]
State = Annotated[str | None, typer.Option(help=f"Only {', '.join(WEBHOOKS.states)}.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="Maximum number of rows.")]
Delivery = Annotated[str | None, typer.Option(help="Only this delivery.")]
Start = Annotated[str | None, typer.Option("--from", help="Start of the period, inclusive.")]
End = Annotated[str | None, typer.Option("--to", help="End of the period, exclusive.")]


@webhooks.command("add")
def add_webhook(
    url: Annotated[str, typer.Argument(help="An https URL.")],
    user: EventsOf = "user123",
    event: WebhookEvents = None,
    description: Description = "",
) -> None:
    """Post events of an account to a URL from now on. Prints the secret, which is not shown again."""
    events = WEBHOOKS.wanted(event or ["sms.sent", "sms.delivered", "sms.failed"])
    made = WEBHOOKS.ask("Create{}", user_id=user, url=url, events=events, description=description)
    WEBHOOKS.show([made.webhook])
    out.print(f"secret: {made.secret}", markup=False)
    out.print("Keep it: it checks signatures, and is not shown again.")


@channels.command("add")
def add_channel(
    target: Target, user: EventsOf = "user123", event: ChannelEvents = None, description: Description = ""
) -> None:
    """Send every alert of an account to people from now on, or the events that --event names."""
    url, email = _url_or_email(target)
    events = CHANNELS.wanted(event or [])
    made = CHANNELS.ask("Create{}", user_id=user, url=url, email=email, events=events, description=description)
    CHANNELS.show([made.channel])


@webhooks.command("list")
def list_webhooks(user: User = "user123", *, as_json: AsJson = False) -> None:
    """Show the webhooks of an account."""
    WEBHOOKS.show_all(user, as_json=as_json)


@channels.command("list")
def list_channels(user: User = "user123", *, as_json: AsJson = False) -> None:
    """Show the channels of an account, without the secrets of their targets."""
    CHANNELS.show_all(user, as_json=as_json)


@webhooks.command("set")
def change_webhook(
    webhook: Webhook,
    url: Annotated[str | None, typer.Option(help="The new URL.")] = None,
    event: WebhookEvents = None,
    *,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether events are posted.")] = None,
) -> None:
    """Change a webhook; pending deliveries are sent at once."""
    changed = WEBHOOKS.ask("Update{}", id=webhook, url=url, events=WEBHOOKS.wanted(event or []), enabled=enabled)
    WEBHOOKS.show([changed.webhook])


@channels.command("set")
def change_channel(
    channel: Channel,
    target: Annotated[str | None, typer.Option(help="The new target, of the same kind; - reads it.")] = None,
    event: ChannelEvents = None,
    *,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether alerts are sent to it.")] = None,
) -> None:
    """Change a channel; pending deliveries are sent at once."""
    url, email = ("", "") if target is None else _url_or_email(target)
    events = CHANNELS.wanted(event or [])
    changed = CHANNELS.ask("Update{}", id=channel, url=url or None, email=email or None, events=events, enabled=enabled)
    CHANNELS.show([changed.channel])


@webhooks.command()
def rotate(
    webhook: Webhook,
    overlap: Annotated[
        int | None, typer.Option(help="Seconds during which both secrets sign; a day if absent.")
    ] = None,
) -> None:
    """Create a new secret. The old one also signs for a while."""
    made = WEBHOOKS.ask("Rotate{}Secret", id=webhook, overlap=None if overlap is None else Duration(seconds=overlap))
    out.print(f"secret: {made.secret}", markup=False)
    if made.webhook.HasField("previous_secret_until_time"):
        out.print(f"The old one signs too until {shown(made.webhook.previous_secret_until_time)}.", markup=False)


@webhooks.command("remove")
def remove_webhook(webhook: Webhook) -> None:
    """Delete a webhook, its secrets and its pending deliveries."""
    WEBHOOKS.remove(webhook)


@channels.command("remove")
def remove_channel(channel: Channel) -> None:
    """Delete a channel, its target and its pending deliveries."""
    CHANNELS.remove(channel)


@webhooks.command("test")
def test_webhook(webhook: Webhook) -> None:
    """Post an event webhook.test, and show its outcome."""
    WEBHOOKS.test(webhook)


@channels.command("test")
def test_channel(channel: Channel) -> None:
    """Send a test, and show its outcome."""
    CHANNELS.test(channel)


@webhooks.command("log")
def webhook_log(webhook: Webhook, state: State = None, limit: Limit = 20, *, as_json: AsJson = False) -> None:
    """Show past and pending deliveries, newest first."""
    WEBHOOKS.show_log(webhook, state, limit, as_json=as_json)


@channels.command("log")
def channel_log(channel: Channel, state: State = None, limit: Limit = 20, *, as_json: AsJson = False) -> None:
    """Show past and pending deliveries, newest first."""
    CHANNELS.show_log(channel, state, limit, as_json=as_json)


@webhooks.command("replay")
def replay_webhook(
    webhook: Webhook,
    delivery: Delivery = None,
    start: Start = None,
    end: End = None,
    *,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Also deliveries that were taken, not only failed ones.")
    ] = False,
) -> None:
    """Post deliveries again: one, or those of a period."""
    period = instant_option("--from", start), instant_option("--to", end)
    count = WEBHOOKS.replay(webhook, delivery, *period, include_delivered=delivered)
    out.print(f"{count:,} {'delivery' if count == 1 else 'deliveries'} posted again.", markup=False)


@channels.command("replay")
def replay_channel(channel: Channel, delivery: Delivery = None, start: Start = None, end: End = None) -> None:
    """Send events again: one, or the failed ones of a period in one text."""
    count = CHANNELS.replay(channel, delivery, instant_option("--from", start), instant_option("--to", end))
    out.print(f"{count:,} {'event is' if count == 1 else 'events are'} sent again.", markup=False)


def _url_or_email(text: str) -> tuple[str, str]:
    """The URL or the email address that a target is; the other is empty."""
    target = sys.stdin.readline().strip() if text == "-" else text
    if not target:
        raise typer.BadParameter("is empty; give an email address, or the URL of a room", param_hint="TARGET")
    return (target, "") if "://" in target else ("", target)
