"""Receivers that are slow, failing, redirecting or hostile, and processes that compete or die."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from messaging_service.events.domain.event_cursor import Moment
from messaging_service.events.postgres.event_rows import read_present
from messaging_service.notices.delivery_ports import DeliveryAttempt
from messaging_service.notices.domain.endpoints import Answer
from messaging_service.notices.domain.retries import Retries
from messaging_service.notices.postgres import fan_out
from messaging_service.notices.postgres.postgres_delivery_queue import PostgresDeliveryQueue
from messaging_service.notices.webhooks import webhook_sender
from service_kit.postgres.database import Connection, create_pool
from tests.doubles.webhook_receiver import Received, answer, receiver
from tests.integration.messaging.notices.webhooks_at_work import MAKE_DUE, OPEN, both, deliveries, made, webhooks
from tests.integration.messaging.running_service import service_on
from tests.system.messaging_database import rows, until_found
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

pytestmark = pytest.mark.timeout(90)

BROUGHT_BACK = "SELECT 1 FROM webhook_endpoint WHERE failures > 0 AND owner IS NULL"


async def outcome_of(url: str, reply: bytes, **choices: float) -> tuple[int | None, str | None]:
    """How a delivery to a receiver with such an answer is on record."""
    async with both(url, **choices) as (service, system):
        system.reply = lambda _: reply
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        await system.until(1)
        await until_found(url, BROUGHT_BACK)
        (one,) = await deliveries(service, webhook_id)
        assert len(system.received) == 1
        return (one.last_status if one.HasField("last_status") else None), one.last_error


async def test_a_redirect_is_an_error_and_is_not_followed(database_url: str) -> None:
    async with receiver() as inner:
        reply = answer(307, f"location: {inner.url}")
        assert await outcome_of(database_url, reply) == (307, "REDIRECTED")
        assert not inner.connections


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", (None, "BROKEN_OFF")),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", (None, "BROKEN_OFF")),
        (b"", (None, "TIMED_OUT")),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", (None, "TIMED_OUT")),
        (answer(404), (404, "ANSWERED_WITH_ERROR")),
    ],
    ids=["not http", "endless headers", "silence", "half an answer", "not found"],
)
async def test_an_answer_that_is_none_is_a_failure_with_its_name(
    database_url: str, reply: bytes, outcome: tuple[int | None, str]
) -> None:
    assert await outcome_of(database_url, reply, webhook_timeout_s=0.5) == outcome


async def test_of_a_huge_answer_only_the_beginning_is_read(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "MAX_ANSWER_BYTES", 100)
    async with both(database_url) as (service, system):
        # More is announced than ever comes: who wanted it all would wait until the time is over.
        system.reply = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n" + b"a" * 1_000
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        await until_found(database_url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered'")


async def test_a_slow_receiver_gets_one_at_a_time_and_holds_up_no_other(database_url: str) -> None:
    async with both(database_url) as (service, slow), receiver() as quick:
        release = asyncio.Event()

        async def when_released(_: Received) -> bytes:
            await release.wait()
            return answer(200)

        slow.reply = when_released
        await made(service, slow.url)
        await made(service, quick.url)
        for _ in range(10):
            await service.send()
        await quick.until(10)
        assert len(slow.received) == 1
        release.set()
        await slow.until(10)
        assert slow.most_in_flight == 1
        assert [one.event["id"] for one in slow.received] == [one.event["id"] for one in quick.received]


async def test_an_endpoint_that_is_gone_is_disabled_until_its_owner_enables_it(database_url: str) -> None:
    async with both(database_url) as (service, system):
        system.reply = lambda _: answer(410)
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        await service.send()
        await system.until(1)
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE NOT enabled AND owner IS NULL")
        gone = (await webhooks(service).GetWebhook(pb.GetWebhookRequest(webhook_id=webhook_id))).webhook
        assert (gone.enabled, gone.disabled_reason) == (False, "GONE")
        assert (await deliveries(service, webhook_id))[0].state == pb.WEBHOOK_DELIVERY_STATE_FAILED
        await service.send()
        system.reply = lambda _: answer(200)
        change = pb.UpdateWebhookRequest(webhook_id=webhook_id, enabled=True)
        assert not (await webhooks(service).UpdateWebhook(change)).webhook.HasField("disabled_reason")
        await service.send()
        await system.until(2)


async def test_an_event_that_a_receiver_cannot_digest_steps_aside_after_three_tries(database_url: str) -> None:
    async with both(database_url) as (service, system):
        await made(service, system.url)
        poison: list[str] = []

        def reply(one: Received) -> bytes:
            poison.append(one.headers["webhook-id"])
            return answer(422 if one.headers["webhook-id"] == poison[0] else 200)

        system.reply = reply
        await service.send()
        await system.until(1)
        await until_found(database_url, BROUGHT_BACK)
        await service.send()
        await until_found(database_url, "SELECT 1 FROM webhook_delivery HAVING count(*) = 2")
        for tries in (1, 2, 3):
            await until_found(
                database_url, f"SELECT 1 FROM webhook_endpoint WHERE failures >= {tries} AND owner IS NULL"
            )
            await rows(database_url, MAKE_DUE)
            await system.until(tries + 1)
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures >= 4 AND owner IS NULL")
        await rows(database_url, "UPDATE webhook_endpoint SET paused_until = NULL")
        assert (await system.until(5))[4].headers["webhook-id"] != poison[0]


@pytest.mark.parametrize(("asked", "kept_s"), [("600", 600), ("7200", 3_600)])
async def test_nothing_is_posted_before_the_time_that_a_receiver_names(
    database_url: str, asked: str, kept_s: int
) -> None:
    async with both(database_url) as (service, system):
        system.reply = lambda _: answer(429, f"retry-after: {asked}")
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        await system.until(1)
        await until_found(database_url, BROUGHT_BACK)
        waits = """
            SELECT extract(epoch FROM d.next_try_at - d.last_try_at), extract(epoch FROM e.paused_until - d.last_try_at)
            FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
        """
        assert await rows(database_url, waits) == [(kept_s, kept_s)]


async def test_a_receiver_that_names_a_time_is_left_alone_also_by_what_steps_aside(database_url: str) -> None:
    async with both(database_url) as (service, system):
        system.reply = lambda _: answer(503, "retry-after: 1800")
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        await until_found(database_url, BROUGHT_BACK)
        await rows(database_url, "UPDATE webhook_delivery SET tries = 5")
        await rows(database_url, MAKE_DUE)
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures = 2 AND owner IS NULL")
        left = "SELECT paused_until - now() > interval '29 minutes' FROM webhook_endpoint"
        assert await rows(database_url, left) == [(True,)]


async def test_several_processes_tell_every_event_once(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(receiver())
        services = [await stack.enter_async_context(service_on(database_url, **OPEN)) for _ in range(3)]
        await made(services[0], system.url)
        sends = [services[number % 3].send(message_id=f"m{number}") for number in range(60)]
        await asyncio.gather(*sends)
        await until_found(database_url, "SELECT 1 FROM webhook_delivery HAVING count(*) = 60")
        await system.until(60)
        async with asyncio.timeout(20):
            await until_found(
                database_url, "SELECT 1 FROM webhook_delivery WHERE state = 'delivered' HAVING count(*) = 60"
            )
        assert sorted(one.event["data"]["messageId"] for one in system.received) == sorted(f"m{n}" for n in range(60))
        assert system.most_in_flight == 1


async def test_what_happened_while_no_process_was_up_is_told_by_the_next_one(database_url: str) -> None:
    async with receiver() as system:
        async with service_on(database_url, **OPEN) as service:
            await made(service, system.url)
            await until_found(database_url, "SELECT 1 FROM event_reader")
        async with service_on(database_url, **(OPEN | {"webhook_poll_s": 60.0})) as service:
            await service.send(message_id="unseen")
        async with service_on(database_url, **OPEN):
            (one,) = await system.until(1)
        assert one.event["data"]["messageId"] == "unseen"


async def test_a_failure_that_comes_back_when_another_has_the_endpoint_lets_nothing_overtake(database_url: str) -> None:
    async with both(database_url, webhook_poll_s=60.0) as (service, system):
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        # Nothing is posted by the service itself.
        await rows(database_url, "UPDATE webhook_endpoint SET owner = 'test', lease_until = now() + interval '1 hour'")
        for _ in range(2):
            await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        async with create_pool(database_url, "queue", timeout_s=20) as pool:
            queue = PostgresDeliveryQueue(pool, Retries())
            await rows(database_url, "UPDATE webhook_endpoint SET lease_until = now()")
            (late,) = await queue.take(1)
            await rows(database_url, "UPDATE webhook_endpoint SET lease_until = now()")
            (present,) = await queue.take(1)
            first, second = late.deliveries
            brought = await queue.finish(late, [DeliveryAttempt(first, Answer(500, "ANSWERED_WITH_ERROR"))])
            assert brought.given_up == 0
            assert [one.tries for one in await deliveries(service, webhook_id)] == [0, 0]
            await queue.finish(present, [])
            (again,) = await queue.take(1)
            assert again.deliveries == (first, second)
            # What was taken counts, whoever says it.
            await queue.finish(late, [DeliveryAttempt(first, Answer(204, None))])
            await queue.finish(again, [])
            (rest,) = await queue.take(1)
            assert rest.deliveries == (second,)


async def test_what_happens_before_the_first_look_of_any_process_is_told(database_url: str) -> None:
    async with receiver() as system:
        async with service_on(database_url, **(OPEN | {"webhook_poll_s": 60.0})) as service:
            await until_found(database_url, "SELECT 1 FROM event_reader WHERE name = 'webhooks'")
            # As on a database on which no process has looked yet.
            await rows(database_url, "DELETE FROM event_reader")
            await made(service, system.url)
            await service.send(message_id="first")
        async with service_on(database_url, **OPEN):
            (one,) = await system.until(1)
        assert one.event["data"]["messageId"] == "first"


async def test_an_endpoint_made_while_a_process_looks_misses_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as system, service_on(database_url, **(OPEN | {"webhook_poll_s": 60.0})) as service:
        await until_found(database_url, "SELECT 1 FROM event_reader WHERE name = 'webhooks'")

        async def in_between(connection: Connection) -> Moment:
            monkeypatch.setattr(fan_out, "read_present", read_present)
            await made(service, system.url)
            await service.send(message_id="in between")
            return await read_present(connection)

        async with create_pool(database_url, "fan_out", timeout_s=20) as pool:
            events = fan_out.PostgresFanOut(pool, uuid7, give_up_after=timedelta(days=1))
            monkeypatch.setattr(fan_out, "read_present", in_between)
            await events.fan_out(100)
        assert await rows(database_url, "SELECT event_type FROM webhook_delivery") == [("sms.sent",)]


async def test_a_lease_of_a_process_that_died_ends_and_its_delivery_goes_out(database_url: str) -> None:
    async with both(database_url) as (service, system):
        webhook_id = (await made(service, system.url)).webhook.webhook_id
        await rows(database_url, "UPDATE webhook_endpoint SET owner = 'dead', lease_until = now() + interval '1 hour'")
        await webhooks(service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        await rows(database_url, "UPDATE webhook_endpoint SET lease_until = now()")
        await system.until(1)
