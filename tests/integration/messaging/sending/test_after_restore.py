"""A restored database sends nothing by itself that may have been sent after the moment that it was restored to."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from messaging_service.sending.postgres.held_after_restore import AfterRestore, InUseError, hold_open_messages
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.contract.sms_examples import acceptance, accepted
from tests.integration.messaging.conftest import MakeOutbox, record, sent
from tests.system.databases import Database
from tests.system.messaging_database import rows
from tests.system.money import broken_invariants

WINDOW_S = 3_600.0


def hold(url: str) -> AfterRestore:
    with psycopg.connect(url, autocommit=True) as connection:
        return hold_open_messages(connection, WINDOW_S)


async def state_of(url: str, message: Any) -> tuple[Any, ...]:
    """State in the outbox and in the queue, and the states that it went through."""
    ((state, queued, events),) = await rows(
        url,
        "SELECT m.state, d.state, ARRAY(SELECT to_state FROM message_event WHERE message_id = m.id ORDER BY id) "
        "FROM message m LEFT JOIN dispatch d ON d.message_id = m.id WHERE m.id = %s",
        (message.id,),
    )
    return state, queued, events


async def test_what_was_due_or_under_way_is_unknown_and_what_is_due_later_stays(
    make_outbox: MakeOutbox, database_url: str, postgres_server: EmbeddedPostgres
) -> None:
    outbox, now = await make_outbox("before"), datetime.now(UTC)
    done = await sent(outbox, accepted())
    waiting = await record(outbox, acceptance())
    under_way = await record(outbox, acceptance(claimed=True))
    later = await record(outbox, acceptance(now=now, scheduled_time=now + timedelta(days=1)))

    assert hold(database_url) == AfterRestore(unknown=2, kept=0, later=1)
    assert (await state_of(database_url, done))[:2] == ("accepted", None)
    assert await state_of(database_url, waiting) == ("unknown", "unknown", ["ready", "submitting", "unknown"])
    assert await state_of(database_url, under_way) == ("unknown", "unknown", ["submitting", "unknown"])
    assert (await state_of(database_url, later))[:2] == ("scheduled", "ready")
    assert await outbox.claim(10) == []
    assert broken_invariants(Database(postgres_server, "messaging_shared")) == []
    assert hold(database_url) == AfterRestore(unknown=0, kept=0, later=1)


async def test_what_was_unknown_is_not_sent_again_by_itself(make_outbox: MakeOutbox, database_url: str) -> None:
    outbox = await make_outbox("before")
    await record(outbox, acceptance(claimed=True))
    await rows(database_url, "UPDATE account SET resend_unknown = true")
    await rows(database_url, "UPDATE dispatch SET lease_until = now() - interval '1 s'")
    assert (await outbox.sweep()).orphaned == 1
    assert await rows(database_url, "SELECT resend_at IS NOT NULL FROM dispatch") == [(True,)]
    assert hold(database_url) == AfterRestore(unknown=0, kept=1, later=0)
    assert await rows(database_url, "SELECT state, resend_at FROM dispatch") == [("unknown", None)]


def test_it_is_refused_while_the_service_is_connected(database_url: str) -> None:
    with psycopg.connect(database_url, application_name="messaging-tail"), pytest.raises(InUseError):
        hold(database_url)


def test_it_is_a_command(database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "messaging_service.after_restore"],
        env={"PATH": os.environ["PATH"], "MESSAGING_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "0 messages that were due or under way are unknown now, and are not sent by themselves"
    )
