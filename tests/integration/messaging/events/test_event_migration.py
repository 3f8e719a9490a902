"""The migration that gives every event its transaction, on a database that is in use."""

from __future__ import annotations

import psycopg
from alembic.script import ScriptDirectory

from messaging_service.migrations import MIGRATIONS
from messaging_service.wiring.messaging_tables import metadata
from service_kit.postgres.migrations import upgrade
from tests.conftest import FreshDatabase

REVISION = "0005"
INSERT = """
    INSERT INTO message_event (message_id, attempt, to_state, actor)
    VALUES (gen_random_uuid(), 1, 'ready', 'before') RETURNING id
"""


def before(url: str) -> None:
    """Brings a database to the migration before."""
    revision = ScriptDirectory(str(MIGRATIONS)).get_revision(REVISION).down_revision
    assert isinstance(revision, str)
    upgrade(url, MIGRATIONS, metadata, revision)


def test_events_from_before_count_as_over_and_new_ones_name_their_transaction(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    before(url)
    with psycopg.connect(url) as old_replica:
        old_replica.execute(INSERT)
        old_replica.commit()
        upgrade(url, MIGRATIONS, metadata, REVISION)
        # As a replica does that does not know the column yet.
        own = old_replica.execute("SELECT pg_current_xact_id()::text").fetchone()
        old_replica.execute(INSERT)
        old_replica.commit()
        found = old_replica.execute("SELECT xact::text FROM message_event ORDER BY id").fetchall()
    assert own is not None
    assert found == [("0",), own]


def test_a_build_that_was_broken_off_is_begun_again(fresh_database: FreshDatabase) -> None:
    url = fresh_database()
    before(url)
    with psycopg.connect(url, autocommit=True) as connection:
        # What is left when the process dies between the column and the end of the index.
        connection.execute("ALTER TABLE message_event ADD COLUMN xact xid8 NOT NULL DEFAULT '0'")
        connection.execute("CREATE INDEX ix_message_event_xact ON message_event (xact)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_message_event_xact'::regclass"
        )
        upgrade(url, MIGRATIONS, metadata, REVISION)
        valid = connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_message_event_xact'::regclass"
        ).fetchone()
    assert valid == (True,)
