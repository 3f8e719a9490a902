"""Webhooks and channels at the terminal: what each command asks of messaging, and what it prints."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.text_format import MessageToString
from grpc import aio
from typer.testing import CliRunner

from service_kit.grpc.timestamps import to_timestamp
from sms_cli.application import application
from sms_cli.shared.command_error import CommandError
from tukupay.sms.messaging.v1 import channels_pb2 as channels
from tukupay.sms.messaging.v1 import webhooks_pb2 as webhooks
from tukupay.sms.messaging.v1.channels_pb2_grpc import ChannelServiceServicer, add_ChannelServiceServicer_to_server
from tukupay.sms.messaging.v1.webhooks_pb2_grpc import WebhookServiceServicer, add_WebhookServiceServicer_to_server

AT = to_timestamp(datetime(2026, 12, 1, 8, 30, tzinfo=UTC))
SINCE = to_timestamp(datetime(2026, 12, 1, 9, 0, tzinfo=UTC))


class Messaging:
    """Both services with one endpoint each; what they were asked is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.address = ""
        self.webhook = webhooks.Webhook(
            webhook_id="wh_1",
            user_id="shop",
            url="https://shop.example/sms",
            events=[webhooks.WEBHOOK_EVENT_SMS_SENT, webhooks.WEBHOOK_EVENT_SMS_FAILED],
            description="orders",
            enabled=True,
            created_time=AT,
            failing_since_time=SINCE,
        )
        self.channel = channels.Channel(
            channel_id="ch_1",
            user_id="shop",
            kind=channels.CHANNEL_KIND_EMAIL,
            target="duty@example.com",
            events=[channels.CHANNEL_EVENT_BALANCE_LOW],
            description="duty",
            enabled=False,
            disabled_reason="it failed for 3 days",
            created_time=AT,
        )
        self.webhook_delivery = webhooks.WebhookDelivery(
            delivery_id="del_1",
            event_id="evt_1",
            event=webhooks.WEBHOOK_EVENT_SMS_SENT,
            state=webhooks.WEBHOOK_DELIVERY_STATE_PENDING,
            tries=2,
            created_time=AT,
            last_status=503,
            last_error="HTTP_STATUS",
            last_try_time=AT,
            next_try_time=SINCE,
            replays=1,
        )
        self.channel_delivery = channels.ChannelDelivery(
            delivery_id="del_2",
            event_id="evt_2",
            event=channels.CHANNEL_EVENT_TEST,
            state=channels.CHANNEL_DELIVERY_STATE_DELIVERED,
            tries=1,
            created_time=AT,
            last_status=204,
            last_try_time=AT,
        )

    def answer(self, name: str, request: Message) -> Message:
        """The answer to a call."""
        self.asked.append(f"{name} {MessageToString(request, as_one_line=True)}".strip())
        noun = "Webhook" if "Webhook" in name else "Channel"
        messages: Any = webhooks if noun == "Webhook" else channels
        one = self.webhook if noun == "Webhook" else self.channel
        delivery = self.webhook_delivery if noun == "Webhook" else self.channel_delivery
        fields: dict[str, Any] = {noun.lower(): one}
        match name.replace(noun, ""):
            case "Create" if noun == "Webhook":
                fields["secret"] = "whsec_1"
            case "RotateSecret":
                fields["secret"] = "whsec_2"
                fields["webhook"] = webhooks.Webhook(webhook_id="wh_1", previous_secret_until_time=SINCE)
            case "Lists":
                fields = {f"{noun.lower()}s": [one] if request.user_id == "shop" else []}  # type: ignore[attr-defined]
            case "ListDeliveries":
                fields = {"deliveries": [delivery]}
            case "ReplayDeliveries":
                fields = {"replayed": 1 if request.HasField("delivery_id") else 1_200}
            case "Test":
                fields = {"delivery": type(delivery)(delivery_id=delivery.delivery_id)}
            case "Delete":
                fields = {}
        made: Message = getattr(messages, f"{name}Response")(**fields)
        return made


def servicer(base: type, messaging: Messaging) -> Any:
    """A servicer that leaves every call to messaging."""

    def call(name: str) -> Any:
        async def answered(_: Any, request: Message, context: Any) -> Message:
            return messaging.answer(name, request)

        return answered

    calls = {name: call(name) for name in vars(base) if name[0].isupper()}
    return type("Servicer", (base,), calls)()


@pytest.fixture
def messaging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Messaging]:
    made, ready, loop = Messaging(), threading.Event(), asyncio.new_event_loop()

    async def serve() -> aio.Server:
        server = aio.server()
        add_WebhookServiceServicer_to_server(servicer(WebhookServiceServicer, made), server)
        add_ChannelServiceServicer_to_server(servicer(ChannelServiceServicer, made), server)
        made.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        ready.set()
        return server

    server: list[aio.Server] = []

    def run_loop() -> None:
        server.append(loop.run_until_complete(serve()))
        loop.run_forever()
        loop.run_until_complete(server[0].stop(None))
        loop.close()

    thread = threading.Thread(target=run_loop)
    thread.start()
    assert ready.wait(10)
    monkeypatch.setenv("MESSAGING_GRPC_ADDRESS", made.address)
    monkeypatch.setenv("TUKUPAY_HOME", "/nonexistent")
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def run(*arguments: str, code: int = 0, typed: str = "") -> str:
    """What a command prints, and says of its failure."""
    done = CliRunner().invoke(application, arguments, input=typed)
    failure = done.exception if isinstance(done.exception, CommandError) else None
    printed = done.output + (f"{failure} -> {failure.remedy}" if failure else "")
    assert done.exit_code == code, printed
    return printed


FAMILIES = pytest.mark.parametrize(
    ("commands", "noun"), [(("webhooks",), "Webhook"), (("alerts", "channels"), "Channel")]
)


def test_a_webhook_is_added_for_what_becomes_of_messages_and_shows_its_secret_once(messaging: Messaging) -> None:
    printed = run("webhooks", "add", "https://shop.example/sms", "--user", "shop")
    assert messaging.asked == [
        'CreateWebhook user_id: "shop" url: "https://shop.example/sms" events: WEBHOOK_EVENT_SMS_SENT '
        "events: WEBHOOK_EVENT_SMS_DELIVERED events: WEBHOOK_EVENT_SMS_FAILED"
    ]
    assert "wh_1\tshop\thttps://shop.example/sms\tsms.sent sms.failed\tfailing since 2026-12-01T09" in printed
    assert "secret: whsec_1\n" in printed


def test_a_channel_is_added_with_an_address_or_a_url(messaging: Messaging) -> None:
    printed = run("alerts", "channels", "add", "duty@example.com", "--user", "shop")
    assert "ch_1\tshop\tduty@example.com\tbalance.low\tdisabled (it failed for 3 days)" in printed
    run("alerts", "channels", "add", "-", "--event", "sms.failed", typed="slack://a/b\n")
    assert messaging.asked == [
        'CreateChannel user_id: "shop" email: "duty@example.com"',
        'CreateChannel user_id: "user123" url: "slack://a/b" events: CHANNEL_EVENT_SMS_FAILED',
    ]


def test_a_channel_cannot_ask_for_tests_and_a_webhook_can(messaging: Messaging) -> None:
    refused = run("alerts", "channels", "add", "a@b.ke", "--event", "channel.test", code=2)
    assert "'channel.test' is none of balance.low, sms.failing," in refused
    run("webhooks", "add", "https://b", "--event", "webhook.test")
    assert messaging.asked == ['CreateWebhook user_id: "user123" url: "https://b" events: WEBHOOK_EVENT_WEBHOOK_TEST']


def test_changes_say_only_what_is_given(messaging: Messaging) -> None:
    run("webhooks", "set", "wh_1", "--url", "https://new.example", "--enable")
    run("alerts", "channels", "set", "ch_1", "--target", "new@example.com")
    run("alerts", "channels", "set", "ch_1", "--disable")
    assert messaging.asked == [
        'UpdateWebhook webhook_id: "wh_1" url: "https://new.example" enabled: true',
        'UpdateChannel channel_id: "ch_1" email: "new@example.com"',
        'UpdateChannel channel_id: "ch_1" enabled: false',
    ]


def test_a_secret_is_rotated(messaging: Messaging) -> None:
    printed = run("webhooks", "rotate", "wh_1", "--overlap", "60")
    assert messaging.asked == ['RotateWebhookSecret webhook_id: "wh_1" overlap { seconds: 60 }']
    assert printed == "secret: whsec_2\nThe old one signs too until 2026-12-01T09:00:00.000Z.\n"


@FAMILIES
def test_endpoints_are_listed(messaging: Messaging, commands: tuple[str, ...], noun: str) -> None:
    assert run(*commands, "list") == f"user123 has no {noun.lower()}s.\n"
    (record,) = json.loads(run(*commands, "list", "--user", "shop", "--json"))
    target = ["url"] if noun == "Webhook" else ["kind", "target"]
    rest = ["events", "description", "enabled", "createdAt", "disabledReason", "failingSince"]
    assert list(record) == [f"{noun.lower()}Id", "userId", *target, *rest]
    assert messaging.asked == [f'List{noun}s user_id: "user123"', f'List{noun}s user_id: "shop"']


@FAMILIES
def test_an_endpoint_is_removed(messaging: Messaging, commands: tuple[str, ...], noun: str) -> None:
    assert run(*commands, "remove", "e_1") == "e_1 is deleted.\n"
    assert messaging.asked == [f'Delete{noun} {noun.lower()}_id: "e_1"']


def test_a_test_waits_for_the_first_try_and_says_how_it_failed(messaging: Messaging) -> None:
    printed = run("webhooks", "test", "wh_1", code=1)
    assert messaging.asked == [
        'TestWebhook webhook_id: "wh_1"',
        'ListWebhookDeliveries webhook_id: "wh_1" event: WEBHOOK_EVENT_WEBHOOK_TEST',
    ]
    assert "HTTP 503 HTTP_STATUS" in printed
    assert "the endpoint did not take it (HTTP_STATUS) -> see `tukupay-sms webhooks log` for later tries" in printed


def test_a_test_that_was_taken_is_shown(messaging: Messaging) -> None:
    assert "del_2\tchannel.test\tdelivered\t1\t2026-12-01T08:30:00.000Z\tHTTP 204" in run(
        "alerts", "channels", "test", "ch_1"
    )
    assert messaging.asked[-1] == 'ListChannelDeliveries channel_id: "ch_1" event: CHANNEL_EVENT_TEST'


@FAMILIES
def test_deliveries_are_listed_by_state(messaging: Messaging, commands: tuple[str, ...], noun: str) -> None:
    (record,) = json.loads(run(*commands, "log", "e_1", "--state", "failed", "--limit", "5", "--json"))
    assert record["state"] == ("pending" if noun == "Webhook" else "delivered")
    assert "'no' is none of pending, delivered, failed" in run(*commands, "log", "e_1", "--state", "no", code=2)
    assert messaging.asked == [
        f'List{noun}Deliveries {noun.lower()}_id: "e_1" state: {noun.upper()}_DELIVERY_STATE_FAILED page_size: 5'
    ]


def test_deliveries_are_replayed(messaging: Messaging) -> None:
    period = ("--from", "2026-12-01T08:30:00Z", "--to", "2026-12-01T09:00:00Z")
    assert run("webhooks", "replay", "wh_1", "--delivery", "del_1") == "1 delivery posted again.\n"
    assert run("webhooks", "replay", "wh_1", *period, "--delivered") == "1,200 deliveries posted again.\n"
    assert run("alerts", "channels", "replay", "ch_1", *period) == "1,200 events are sent again.\n"
    asked = f"period_start {{ seconds: {AT.seconds} }} period_end {{ seconds: {SINCE.seconds} }}"
    assert messaging.asked == [
        'ReplayWebhookDeliveries webhook_id: "wh_1" delivery_id: "del_1"',
        f'ReplayWebhookDeliveries webhook_id: "wh_1" {asked} include_delivered: true',
        f'ReplayChannelDeliveries channel_id: "ch_1" {asked}',
    ]
