"""What the service exports about webhooks and alerts."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.postgres.notice_view import PostgresNoticeView
from service_kit.postgres.database import create_pool
from tests.doubles.webhook_receiver import Receiver, answer, receiver
from tests.integration.messaging.metered_service import Metered, metered_on
from tests.integration.messaging.notices.test_alerts import QUICK, adjust, prepaid
from tests.integration.messaging.notices.webhooks_at_work import OPEN, made, webhooks
from tests.system.messaging_database import rows, until_found
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def view(database_url: str) -> AsyncIterator[PostgresNoticeView]:
    async with create_pool(database_url, "view", max_size=2, timeout_s=20) as pool:
        yield PostgresNoticeView(pool, most=10)


@asynccontextmanager
async def at_work(url: str, **choices: Any) -> AsyncIterator[tuple[Metered, Receiver]]:
    async with receiver() as system, metered_on(url, **(OPEN | choices)) as metered:
        yield metered, system


async def test_posts_are_counted_by_what_became_of_them(database_url: str) -> None:
    async with at_work(database_url) as (metered, system):
        await made(metered.service, system.url)
        await metered.service.send()
        tries = "tukupay_webhook_tries_total"
        figures = await metered.until(lambda figures: figures(tries, outcome="TAKEN") == 1)
        assert figures(tries) == 1
        assert figures("tukupay_webhook_post_seconds_count") == 1
        assert 0 < figures("tukupay_webhook_post_seconds_sum") < 20
        assert figures("tukupay_webhook_events_told_total") == 1
        assert figures("tukupay_webhook_deliveries_recorded_total") == 1
        assert figures("tukupay_webhook_given_up_total") == 0
        system.reply = lambda _: answer(410)
        await metered.service.send()
        figures = await metered.until(lambda figures: figures("tukupay_webhook_disabled_total") == 1)
        assert figures(tries, outcome="GONE") == 1
        assert figures("tukupay_webhook_given_up_total") == 1
        assert "user123" not in figures.text
        assert "127.0.0.1" not in figures.text


async def test_deliveries_whose_time_is_over_are_counted_as_given_up(database_url: str) -> None:
    async with at_work(database_url) as (metered, system):
        system.reply = lambda _: answer(503)
        webhook_id = (await made(metered.service, system.url)).webhook.webhook_id
        await webhooks(metered.service).TestWebhook(pb.TestWebhookRequest(webhook_id=webhook_id))
        await until_found(database_url, "SELECT 1 FROM webhook_endpoint WHERE failures = 1 AND owner IS NULL")
        # The next pause ends behind the end of the delivery.
        await rows(database_url, "UPDATE webhook_delivery SET give_up_at = now() + interval '5 s', next_try_at = now()")
        await rows(database_url, "UPDATE webhook_endpoint SET paused_until = NULL")
        figures = await metered.until(lambda figures: figures("tukupay_webhook_given_up_total") == 1)
        assert figures("tukupay_webhook_tries_total", outcome="ANSWERED_WITH_ERROR") == 2


async def test_alerts_are_counted_by_kind(database_url: str) -> None:
    async with at_work(database_url, **QUICK) as (metered, system):
        books = await prepaid(metered.service, 50)
        await made(metered.service, system.url, events=[pb.WEBHOOK_EVENT_BALANCE_LOW])
        raised, resolved = "tukupay_alerts_raised_total", "tukupay_alerts_resolved_total"
        figures = await metered.until(lambda figures: figures(raised, kind="balance.low") == 1)
        assert (figures(raised), figures(resolved)) == (1, 0)
        await adjust(books, 100)
        figures = await metered.until(lambda figures: figures(resolved, kind="balance.low") == 1)
        assert (figures(raised), figures(resolved)) == (1, 1)


async def endpoint(url: str, *, enabled: bool = True, failing: str = "NULL", paused: str = "NULL") -> str:
    """One on record; `failing` and `paused` are SQL for instants."""
    statement = f"""
        INSERT INTO webhook_endpoint
            (id, account_id, url, events, description, secret, enabled, failing_since, paused_until)
        VALUES (gen_random_uuid(), 'user123', 'https://x/', '{{sms.sent}}', '', 's', {enabled}, {failing}, {paused})
        RETURNING id
    """
    ((found,),) = await rows(url, statement)
    return str(found)


async def waiting(url: str, endpoint_id: str, count: int, since: str) -> None:
    """Deliveries on record; `since` is SQL for the instant of their next try."""
    statement = f"""
        INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, body, give_up_at, next_try_at)
        SELECT gen_random_uuid(), '{endpoint_id}', 'evt_' || n, 'sms.sent', '{{}}', now() + interval '1 day', {since}
        FROM generate_series(1, {count}) AS n
    """
    await rows(url, statement)


async def test_on_an_empty_database_nothing_waits_and_nobody_has_looked(view: PostgresNoticeView) -> None:
    state = await view.look()
    assert (state.deliveries_due, state.deliveries_held, state.oldest_due_s, state.fan_out_lag_s) == (0, 0, 0, 0)
    assert (state.endpoints_well, state.endpoints_failing, state.endpoints_disabled) == (0, 0, 0)
    assert state.alerts_open == {}
    assert state.alerts_looked_s == math.inf


async def test_what_waits_for_us_is_told_from_what_waits_for_its_receiver(
    view: PostgresNoticeView, database_url: str
) -> None:
    failing, hours_ago = "now() - interval '1 hour'", "now() - interval '2 hours'"
    await waiting(database_url, await endpoint(database_url), 2, "now() - interval '100 s'")
    await waiting(database_url, await endpoint(database_url, failing=failing), 1, "now() + interval '100 s'")
    held = await endpoint(database_url, failing=failing, paused="now() + interval '1 min'")
    await waiting(database_url, held, 1, hours_ago)
    await waiting(database_url, await endpoint(database_url, enabled=False), 1, hours_ago)
    await waiting(database_url, await endpoint(database_url, paused="now() - interval '7 s'"), 1, hours_ago)
    state = await view.look()
    assert (state.deliveries_due, state.deliveries_held) == (3, 3)
    assert 100 <= state.oldest_due_s < 1_000
    assert (state.endpoints_well, state.endpoints_failing, state.endpoints_disabled) == (2, 2, 1)


async def test_counting_stops_in_time(view: PostgresNoticeView, database_url: str) -> None:
    await waiting(database_url, await endpoint(database_url), 25, "now()")
    assert (await view.look()).deliveries_due == 10


async def test_fan_out_is_as_far_behind_as_its_oldest_event_is_old(view: PostgresNoticeView, database_url: str) -> None:
    async with at_work(database_url) as (metered, system):
        await made(metered.service, system.url)
        await metered.service.send()
        await system.until(1)
    await until_found(database_url, "SELECT 1 FROM webhook_delivery")
    assert (await view.look()).fan_out_lag_s == 0
    await rows(
        database_url,
        "INSERT INTO message_event (message_id, attempt, to_state, actor, at) "
        "SELECT id, 1, 'delivered', 'test', now() - interval '90 s' FROM message",
    )
    assert 90 <= (await view.look()).fan_out_lag_s < 1_000


async def test_open_alerts_and_the_last_look_are_shown(view: PostgresNoticeView, database_url: str) -> None:
    await rows(
        database_url,
        "INSERT INTO alert (id, account_id, kind, subject, value, threshold, resolved_at) SELECT gen_random_uuid(), "
        "'u' || n, 'carrier.down', 'smpp', 1, 1, CASE WHEN n > 3 THEN now() END FROM generate_series(1, 5) AS n",
    )
    looked = "INSERT INTO event_reader (name, position, moved_at) VALUES ('alerts', '{}', now() - interval '40 s')"
    await rows(database_url, looked)
    state = await view.look()
    assert state.alerts_open == {AlertKind.CARRIER_DOWN: 3}
    assert 40 <= state.alerts_looked_s < 1_000
