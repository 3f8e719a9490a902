"""Channels from a crossing to where people read, through apprise and with a real database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from messaging_service.carriers.domain.submission import Outcome
from tests.contract.sms_examples import RECIPIENT, refused
from tests.doubles.mail_receiver import relay
from tests.doubles.webhook_receiver import answer, receiver
from tests.integration.messaging.metered_service import metered_on
from tests.integration.messaging.notices.channels_at_work import (
    CANARY,
    OPEN,
    both,
    channels,
    deliveries,
    made,
    room,
    through,
    tried_test,
)
from tests.integration.messaging.notices.test_alerts import adjust, listed, prepaid
from tests.integration.messaging.notices.webhooks_at_work import MAKE_DUE, webhooks
from tests.integration.messaging.running_service import refusal_of
from tests.system.messaging_database import rows, until_found
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import channels_pb2 as pb
from tukupay.sms.messaging.v1 import webhooks_pb2

pytestmark = pytest.mark.timeout(90)
QUICK: dict[str, Any] = {"alert_every_s": 0.05}


def refusing(code: str, _submission: object) -> Outcome:
    return refused(code)


async def test_an_alert_is_told_to_a_room_in_plain_words(database_url: str) -> None:
    async with both(database_url, **QUICK) as (service, system):
        books = await prepaid(service, 2_000)
        channel = await made(service, url=room(system), description="duty")
        assert channel.events == [1, 2, 3, 4, 5, 8]
        await adjust(books, -1_901)
        (post,) = await system.until(1)
        text = json.loads(post.body)
        assert text["title"] == "TukuPay SMS: balance low (user123)"
        what, when, to_do = text["message"].split("\n")
        assert what == "Account user123 can spend KES 99.00. It is warned below KES 100.00."
        assert when.startswith("When: ")
        assert when.endswith(" EAT (Nairobi)")
        assert to_do == "What to do: top up the account. Without funds its messages are refused."
        await until_found(database_url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered'")
        (alert,) = await listed(service)
        assert (alert.delivered_deliveries, alert.pending_deliveries, alert.failed_deliveries) == (1, 0, 0)


async def test_a_mailbox_gets_mail_from_the_operators_relay_again_until_it_is_taken(database_url: str) -> None:
    async with relay() as post_office, both(database_url, **QUICK, **through(post_office)) as (service, _):
        post_office.refused["duty@example.com"] = "550 5.1.1 no such mailbox"
        books = await prepaid(service, 200)
        channel = await made(service, email="duty@example.com")
        assert (channel.kind, channel.target) == (pb.CHANNEL_KIND_EMAIL, "duty@example.com")
        await adjust(books, -101)
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures = 1 AND owner IS NULL")
        (failed,) = await deliveries(service, channel.channel_id)
        assert (failed.state, failed.last_error) == (pb.CHANNEL_DELIVERY_STATE_PENDING, "ADDRESS_REFUSED")
        assert failed.next_try_time.ToDatetime() > failed.last_try_time.ToDatetime() + timedelta(seconds=4)
        post_office.refused.clear()
        await rows(database_url, MAKE_DUE)
        (mail,) = await post_office.until(1)
        assert (mail.sender, mail.recipients) == ("alerts@tukupay.example", ("duty@example.com",))
        assert mail.message["subject"] == "TukuPay SMS: balance low (user123)"
        assert mail.message["from"] == "TukuPay SMS <alerts@tukupay.example>"
        assert "Account user123 can spend KES 99.00." in mail.text
        assert set(post_office.logins) == {":postmaster:canary-of-the-relay"}


async def test_one_process_mails_and_posts_in_turns(database_url: str) -> None:
    async with (
        relay() as post_office,
        both(database_url, channel_concurrency=1, **through(post_office)) as (service, system),
    ):
        mailbox = await made(service, email="duty@example.com")
        messenger = await made(service, url=room(system))
        for turn in (1, 2):
            for channel in (mailbox, messenger):
                test = await tried_test(service, channel.channel_id)
                assert (test.state, test.last_error) == (pb.CHANNEL_DELIVERY_STATE_DELIVERED, ""), (
                    turn,
                    channel.kind,
                )
        assert (len(post_office.mails), len(system.received)) == (2, 2)


async def test_a_flood_of_failures_is_one_text_with_counts_by_code_until_it_is_taken(database_url: str) -> None:
    # No span of a year ends within this test, so nothing is due until it is made so.
    async with both(database_url, channel_join_s=31_557_600.0) as (service, system):
        system.reply = lambda _: answer(500 if len(system.received) == 1 else 200)
        channel = await made(service, url=room(system), events=[pb.CHANNEL_EVENT_SMS_FAILED])
        for code, count in (("INVALID_RECIPIENT", 3), ("INVALID_SENDER", 2)):
            service.carrier.answer = partial(refusing, code)
            for _ in range(count):
                await service.send()
        await until_found(database_url, "SELECT 1 FROM webhook_delivery HAVING count(*) = 5")
        assert await rows(database_url, "SELECT count(DISTINCT next_try_at) FROM webhook_delivery") == [(1,)]
        assert not system.received
        await rows(database_url, MAKE_DUE)
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures = 1 AND owner IS NULL")
        log = await deliveries(service, channel.channel_id)
        assert {(one.tries, one.last_status, one.last_error) for one in log} == {(1, 500, "ANSWERED_WITH_ERROR")}
        assert len({one.next_try_time.ToNanoseconds() for one in log}) == 1
        shown = await channels(service).GetChannel(pb.GetChannelRequest(channel_id=channel.channel_id))
        assert shown.channel.HasField("failing_since_time")
        await rows(database_url, MAKE_DUE)
        first, again = await system.until(2)
        assert first.body == again.body
        text = json.loads(again.body)
        assert text["title"] == "TukuPay SMS: 5 messages failed (user123)"
        lines = text["message"].split("\n")
        assert "5 messages of account user123 failed:" in lines[0]
        assert lines[1:3] == [
            "- 3 × INVALID_RECIPIENT: The carrier does not accept this phone number.",
            "- 2 × INVALID_SENDER: The carrier does not accept this sender id.",
        ]
        assert RECIPIENT not in again.body
        assert "123456" not in again.body
        await until_found(
            database_url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered' AND tries = 2 HAVING count(*) = 5"
        )
        assert len(system.received) == 2


async def test_webhooks_and_channels_do_not_see_one_another(database_url: str) -> None:
    async with relay() as post_office, both(database_url, **through(post_office)) as (service, _):
        channel = await made(service, email="duty@example.com")
        hook = await webhooks(service).CreateWebhook(
            webhooks_pb2.CreateWebhookRequest(
                user_id="user123", url="https://1.1.1.1/hooks", events=[webhooks_pb2.WEBHOOK_EVENT_BALANCE_LOW]
            )
        )
        shown = await webhooks(service).ListWebhooks(webhooks_pb2.ListWebhooksRequest(user_id="user123"))
        assert [one.webhook_id for one in shown.webhooks] == [hook.webhook.webhook_id]
        found = await channels(service).ListChannels(pb.ListChannelsRequest(user_id="user123"))
        assert [one.channel_id for one in found.channels] == [channel.channel_id]
        as_hook = channel.channel_id.replace("channel_", "webhook_")
        stub = webhooks(service)
        for call in (
            stub.GetWebhook(webhooks_pb2.GetWebhookRequest(webhook_id=as_hook)),
            stub.RotateWebhookSecret(webhooks_pb2.RotateWebhookSecretRequest(webhook_id=as_hook)),
            stub.UpdateWebhook(webhooks_pb2.UpdateWebhookRequest(webhook_id=as_hook, enabled=False)),
            stub.DeleteWebhook(webhooks_pb2.DeleteWebhookRequest(webhook_id=as_hook)),
            stub.TestWebhook(webhooks_pb2.TestWebhookRequest(webhook_id=as_hook)),
            stub.ListWebhookDeliveries(webhooks_pb2.ListWebhookDeliveriesRequest(webhook_id=as_hook)),
        ):
            assert (await refusal_of(call)).reason == "WEBHOOK_NOT_FOUND"
        as_channel = hook.webhook.webhook_id.replace("webhook_", "channel_")
        error = await refusal_of(channels(service).GetChannel(pb.GetChannelRequest(channel_id=as_channel)))
        assert error.reason == "CHANNEL_NOT_FOUND"


async def test_a_channel_is_changed_disabled_replayed_and_deleted_with_its_target(database_url: str) -> None:
    async with (
        relay() as post_office,
        both(database_url, channel_max_per_account=1, **through(post_office)) as (service, _),
    ):
        stub = channels(service)
        channel_id = (await made(service, email="first@example.com")).channel_id
        error = await refusal_of(stub.CreateChannel(pb.CreateChannelRequest(user_id="user123", email="a@b.ke")))
        assert error.reason == "TOO_MANY_CHANNELS"
        changed = await stub.UpdateChannel(
            pb.UpdateChannelRequest(
                channel_id=channel_id, email="second@example.com", events=[pb.CHANNEL_EVENT_SMS_FAILED]
            )
        )
        assert changed.channel.target == "second@example.com"
        assert list(changed.channel.events) == [pb.CHANNEL_EVENT_SMS_FAILED]
        test = await tried_test(service, channel_id)
        assert test.state == pb.CHANNEL_DELIVERY_STATE_DELIVERED
        replayed = await stub.ReplayChannelDeliveries(
            pb.ReplayChannelDeliveriesRequest(channel_id=channel_id, delivery_id=test.delivery_id)
        )
        assert replayed.replayed == 1
        first, again = await post_office.until(2)
        assert first.recipients == again.recipients == ("second@example.com",)
        assert again.message["subject"] == "TukuPay SMS: test (user123)"
        await stub.UpdateChannel(pb.UpdateChannelRequest(channel_id=channel_id, enabled=False))
        refusal = await refusal_of(stub.TestChannel(pb.TestChannelRequest(channel_id=channel_id)))
        assert refusal.reason == "CHANNEL_DISABLED"
        refusal = await refusal_of(stub.UpdateChannel(pb.UpdateChannelRequest(channel_id=channel_id, url="slack://a")))
        assert [(one.field, one.reason) for one in refusal.violations] == [("url", "NOT_ALLOWED")]
        await stub.DeleteChannel(pb.DeleteChannelRequest(channel_id=channel_id))
        assert not (await stub.ListChannels(pb.ListChannelsRequest(user_id="user123"))).channels
        assert await rows(database_url, "SELECT secret FROM webhook_endpoint") == [(None,)]


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({}, [("url", "REQUIRED")]),
    ({"url": "slack://a", "email": "a@b.ke"}, [("url", "REQUIRED")]),
    ({"email": "nobody"}, [("email", "INVALID_TARGET")]),
    # There is no relay.
    ({"email": "duty@example.com"}, [("email", "INVALID_TARGET")]),
    ({"url": "nonsense"}, [("url", "INVALID_TARGET")]),
    ({"url": "syslog://"}, [("url", "INVALID_TARGET")]),
    ({"url": "mailto://user:password@example.com"}, [("url", "INVALID_TARGET")]),
    ({"url": "xml://127.0.0.1/"}, [("url", "INVALID_TARGET")]),
    ({"url": "json://10.0.0.1/"}, [("url", "INVALID_TARGET")]),
    ({"url": "json://127.0.0.1/?template=/etc/passwd"}, [("url", "INVALID_TARGET")]),
    (
        {"user_id": "", "url": "json://[::1]/", "description": "a\nb"},
        [("user_id", "INVALID_IDENTIFIER"), ("url", "INVALID_TARGET"), ("description", "MALFORMED")],
    ),
    ({"url": "json://127.0.0.1/", "events": [7]}, [("events[0]", "NOT_ALLOWED")]),
]


async def test_what_is_wrong_with_a_channel_is_named(database_url: str) -> None:
    async with both(database_url) as (service, _):
        for fields, faults in WRONG:
            request = pb.CreateChannelRequest(**({"user_id": "user123"} | fields))
            error = await refusal_of(channels(service).CreateChannel(request))
            assert [(one.field, one.reason) for one in error.violations] == faults, fields
        assert await rows(database_url, "SELECT count(*) FROM webhook_endpoint") == [(0,)]


async def test_a_receiver_that_hangs_is_left_at_the_time_out_and_tried_again(database_url: str) -> None:
    async with both(database_url, channel_timeout_s=2.0) as (service, system):
        hanging = asyncio.Event()

        async def later() -> bytes:
            await hanging.wait()
            return answer(200)

        system.reply = lambda _: later()
        channel = await made(service, url=room(system))
        test = await tried_test(service, channel.channel_id)
        assert (test.last_error, test.state) == ("TIMED_OUT", pb.CHANNEL_DELIVERY_STATE_PENDING)
        system.reply = lambda _: answer(200)
        hanging.set()

        async def has_ended() -> bool:
            await rows(database_url, MAKE_DUE)
            return (await deliveries(service, channel.channel_id))[0].state != pb.CHANNEL_DELIVERY_STATE_PENDING

        await eventually("the test has ended", has_ended, 60)
        assert len(system.received) >= 2


async def test_a_child_that_is_killed_loses_nothing(database_url: str) -> None:
    async with both(database_url) as (service, system):
        killed = asyncio.Event()

        async def never() -> bytes:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
            killed.set()
            return answer(200)

        system.reply = lambda _: never() if not killed.is_set() else answer(200)
        channel = await made(service, url=room(system))
        test = await tried_test(service, channel.channel_id)
        assert (test.last_error, test.state) == ("BROKEN_OFF", pb.CHANNEL_DELIVERY_STATE_PENDING)
        await rows(database_url, MAKE_DUE)
        await system.until(2)
        await until_found(database_url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered' AND tries = 2")
    assert not children()


def children() -> list[int]:
    """Processes that run apprise for this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"notices.channels.child" in command:
            found.append(int(path.parent.name))
    return found


async def test_redirects_are_not_followed_and_a_room_that_is_gone_disables_its_channel(database_url: str) -> None:
    async with receiver() as system, metered_on(database_url, **OPEN) as metered:
        service = metered.service
        system.reply = lambda _: answer(307, f"location: http://127.0.0.1:{system.port}/elsewhere")
        channel = await made(service, url=room(system))
        test = await tried_test(service, channel.channel_id)
        assert (test.last_status, test.last_error) == (307, "REDIRECTED")
        assert [one.path for one in system.received] == [f"/{CANARY}"]
        system.reply = lambda _: answer(410)
        test = await tried_test(service, channel.channel_id)
        assert (test.state, test.last_error) == (pb.CHANNEL_DELIVERY_STATE_FAILED, "GONE")
        shown = await channels(service).GetChannel(pb.GetChannelRequest(channel_id=channel.channel_id))
        assert (shown.channel.enabled, shown.channel.disabled_reason) == (False, "GONE")
        texts = "tukupay_channel_texts_total"
        figures = await metered.until(lambda figures: figures("tukupay_channel_disabled_total") == 1)
        assert figures(texts, kind="service", outcome="REDIRECTED") == 1
        assert figures(texts, kind="service", outcome="GONE") == 1
        assert figures(texts) == figures("tukupay_channel_events_total") == 2
        assert figures("tukupay_channel_text_seconds_count") == 2
        assert figures("tukupay_channel_given_up_total") == 1
        assert figures("tukupay_channel_processes") == figures("tukupay_channel_processes_started_total") == 1
        assert figures("tukupay_channel_processes_failed_total") == 0
        assert CANARY not in figures.text


async def test_a_room_that_names_a_time_is_left_alone_until_then(database_url: str) -> None:
    async with both(database_url) as (service, system):
        system.reply = lambda _: answer(429, "retry-after: 600")
        channel = await made(service, url=room(system))
        test = await tried_test(service, channel.channel_id)
        assert (test.last_status, test.last_error) == (429, "ANSWERED_WITH_ERROR")
        waits = "SELECT extract(epoch FROM next_try_at - last_try_at) FROM webhook_delivery"
        assert await rows(database_url, waits) == [(600,)]


async def test_the_secrets_of_targets_are_in_no_answer_and_no_log(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with relay() as post_office, both(database_url, **through(post_office)) as (service, system):
        answers: list[object] = []
        for secretive in (
            room(system),
            f"json://user:{CANARY}@127.0.0.1:{system.port}/a?%2BX-Key={CANARY}&:a={CANARY}",
        ):
            channel = await made(service, url=secretive)
            answers += [channel, await tried_test(service, channel.channel_id)]
            for wrong in ("syslog://", f"json://10.0.0.1/{CANARY}", f"json://127.0.0.1/{CANARY}?verify=no"):
                request = pb.UpdateChannelRequest(channel_id=channel.channel_id, url=wrong)
                error = await refusal_of(channels(service).UpdateChannel(request))
                answers.append([one.description for one in error.violations])
        mailbox = await made(service, email="duty@example.com")
        answers += [mailbox, await tried_test(service, mailbox.channel_id)]
        answers.append(await channels(service).ListChannels(pb.ListChannelsRequest(user_id="user123")))
        out, err = capfd.readouterr()
        said = f"{answers}{out}{err}"
        assert "channel.notified" in said
        assert CANARY not in said
        assert "canary-of-the-relay" not in said
        stored = await rows(
            database_url,
            f"SELECT (to_jsonb(e) - 'secret')::text FROM webhook_endpoint e WHERE e::text LIKE '%{CANARY}%'",
        )
        assert len(stored) == 2
        assert all(CANARY not in row[0] for row in stored)
