"""What a database that was restored from a backup must not send again by itself."""

from __future__ import annotations

from typing import Final, NamedTuple

import psycopg

ACTOR: Final = "after-restore"
"""Who moved the messages, in their events."""

_OTHERS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'messaging%%' AND pid <> pg_backend_pid()
"""
# In the order in which everybody locks: rows of the queue, then messages.
_PARK: Final = """
    WITH open AS MATERIALIZED (
        SELECT message_id FROM dispatch WHERE state = 'submitting' OR (state = 'ready' AND due_at <= now()) FOR UPDATE
    ), before AS MATERIALIZED (
        SELECT m.id, m.state, m.recipient, m.retry_count + 1 AS attempt
        FROM message m JOIN open ON open.message_id = m.id FOR NO KEY UPDATE OF m
    ), parked AS (
        UPDATE dispatch d SET
            state = 'unknown', owner = NULL, lease_until = NULL, recipient = before.recipient, resend_at = NULL,
            due_at = now() + make_interval(secs => %(unknown_window_s)s)
        FROM before WHERE d.message_id = before.id
    ), moved AS (
        UPDATE message m SET state = 'unknown', error_code = 'OUTCOME_UNKNOWN' FROM before WHERE m.id = before.id
    ), events AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, code)
        SELECT id, attempt, from_state, to_state, %(actor)s, code FROM (
            SELECT id, attempt, state AS from_state, 'submitting' AS to_state, NULL AS code, 1 AS step FROM before
            WHERE state <> 'submitting'
            UNION ALL
            SELECT id, attempt, 'submitting', 'unknown', 'OUTCOME_UNKNOWN', 2 FROM before
        ) AS steps ORDER BY id, step
    )
    SELECT count(*) FROM before
"""
_KEEP_UNKNOWN: Final = "UPDATE dispatch SET resend_at = NULL WHERE resend_at IS NOT NULL"
_LATER: Final = "SELECT count(*) FROM dispatch WHERE state = 'ready'"


class InUseError(Exception):
    """Processes of the service are connected, which may be sending meanwhile."""


class AfterRestore(NamedTuple):
    """What became of the messages that were open when the backup's moment was."""

    unknown: int
    """Were due or under way: the carrier may have taken them after that moment. They wait for a receipt or the end of
    their window, and are not sent by themselves."""
    kept: int
    """Were unknown already, and would have been sent again by themselves; they are not."""
    later: int
    """Are due later than now, so nothing has sent them yet; they go out in time."""


def hold_open_messages(connection: psycopg.Connection, unknown_window_s: float) -> AfterRestore:
    """Keeps a restored database from sending what may have been sent after the moment that it was restored to.

    To be run once, before the service is started; a second run finds nothing more. `unknown_window_s`: how long they
    wait for a receipt from now on. Raises InUseError while the service is connected.
    """
    with connection.transaction():
        # Old messages may be many, and the guards of the role are for single ones.
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SET LOCAL enable_seqscan = on")
        if _count(connection, _OTHERS):
            raise InUseError
        unknown = _count(connection, _PARK, {"unknown_window_s": unknown_window_s, "actor": ACTOR})
        kept = connection.execute(_KEEP_UNKNOWN).rowcount
        return AfterRestore(unknown, kept, _count(connection, _LATER))


def _count(connection: psycopg.Connection, statement: str, parameters: dict[str, object] | None = None) -> int:
    row = connection.execute(statement.encode(), parameters or {}).fetchone()
    assert row is not None, "the statement counts"  # noqa: S101 - an invariant, not a check of input
    return int(row[0])
