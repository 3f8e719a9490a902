"""What an opt-out does to messages that are accepted already.

An acceptance that began before an entry was committed does not see it, and may commit after it. To make every
acceptance take a lock that entries take too would cost each send, and would let one stalled entry hold up all
sends. So the entry waits instead: acceptances that overlap with it are over within milliseconds, then what they
queued is cancelled here. Until a pass found nothing overlapping and nothing in flight it is repeated, so
that also a crash between entry and pass leaves nothing behind.

Lock order as everywhere: dispatch, message, account.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from messaging_service.accounts.postgres.account_rows import lock_accounts
from messaging_service.opt_outs.domain.suppression import OPTED_OUT, Exemption
from service_kit.postgres.database import Connection

CANCELLED_AT_ONCE = 200
"""Messages cancelled in one transaction at most."""
LOOK_EVERY_S = 0.005

# Transactions that may have read the list before the entry was there and have something to commit: those that wrote,
# and those of services of this kind that are reading just now. Reports and backups only read, however long.
_OVERLAPPING = """
    SELECT EXISTS (
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < %(since)s
            AND (
                backend_xid IS NOT NULL
                OR (backend_xmin IS NOT NULL AND application_name = current_setting('application_name'))
            )
    )
"""

_SCOPES = "SELECT id, phone, sender_key, account_id FROM suppression WHERE id = ANY(%(ids)s) AND ended_at IS NULL"
COVERED = """
    m.recipient = s.phone
        AND (s.sender_key IS NULL OR s.sender_key = lower(ltrim(m.sender_id, '+')))
        AND (s.account_id IS NULL OR s.account_id = m.account_id)
        AND NOT m.tags && %(exempt)s::text[]
"""

# Looked up phone by phone, as the planner believes the queue to be empty and would walk through all of it.
_QUEUED = f"""
    WITH s AS MATERIALIZED ({_SCOPES})
    SELECT DISTINCT d.message_id
    FROM s CROSS JOIN LATERAL (
        SELECT message_id FROM dispatch WHERE state = 'ready' AND recipient = s.phone OFFSET 0
    ) d JOIN message m ON m.id = d.message_id
    WHERE {COVERED}
    ORDER BY d.message_id LIMIT %(limit)s
"""
_LOCK_QUEUE = """
    SELECT message_id FROM dispatch WHERE message_id = ANY(%(ids)s) AND state = 'ready'
    ORDER BY message_id FOR UPDATE SKIP LOCKED
"""
_LOCK_MESSAGES = "SELECT account_id FROM message WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"
_CANCEL = """
    WITH gone AS (
        DELETE FROM dispatch WHERE message_id = ANY(%(ids)s) AND state = 'ready' RETURNING message_id
    ), old AS (
        SELECT m.id, m.state FROM message m WHERE m.id = ANY(%(ids)s)
    ), moved AS (
        UPDATE message m SET state = 'cancelled', billing = 'released', error_code = %(code)s
        FROM gone WHERE m.id = gone.message_id
        RETURNING m.id, m.account_id, m.total, m.retry_count + 1 AS attempt
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, code)
        SELECT moved.id, moved.attempt, old.state, 'cancelled', %(actor)s, %(code)s
        FROM moved JOIN old ON old.id = moved.id
    )
    UPDATE account a SET held = a.held - s.total
    FROM (SELECT account_id, sum(total) AS total FROM moved GROUP BY account_id) s
    WHERE a.id = s.account_id
"""

# Rows that are claimed hold no recipient, but there are never more of them than places in the windows.
_OPEN = f"""
    WITH s AS MATERIALIZED ({_SCOPES}), active AS MATERIALIZED (
        SELECT message_id FROM dispatch WHERE state = 'submitting'
        UNION ALL
        SELECT d.message_id FROM s CROSS JOIN LATERAL (
            SELECT message_id FROM dispatch WHERE state = 'ready' AND recipient = s.phone OFFSET 0
        ) d
    )
    SELECT DISTINCT s.id FROM active JOIN message m ON m.id = active.message_id JOIN s ON {COVERED}
"""
_NOTE_ROUND = """
    UPDATE suppression SET pass_due_at = CASE WHEN id = ANY(%(open)s) THEN now() END
    WHERE id = ANY(%(ids)s) AND ended_at IS NULL
"""
_TAKE_PENDING = """
    UPDATE suppression SET pass_due_at = now() + make_interval(secs => %(lease_s)s)
    WHERE id = ANY(ARRAY(
        SELECT id FROM suppression WHERE pass_due_at <= now() ORDER BY pass_due_at LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
"""


async def overlapping_ended(connection: Connection, wait_s: float) -> bool:
    """Returns when no acceptance runs any more that began before this call; False when `wait_s` was not enough.

    The connection is in no transaction, within which the view that this reads would stand still.
    """
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - an invariant
    give_up = time.monotonic() + wait_s
    while True:
        found = await (await connection.execute(_OVERLAPPING, {"since": row[0]})).fetchone()
        if found is not None and not found[0]:
            return True
        if time.monotonic() >= give_up:
            return False
        await asyncio.sleep(LOOK_EVERY_S)


async def cancel_queued(connection: Connection, ids: Sequence[UUID], exemption: Exemption, actor: str) -> int:
    """Cancels up to CANCELLED_AT_ONCE queued messages that the entries cover, and releases their holds; how many."""
    exempt = sorted(exemption.tags)
    cursor = await connection.execute(_QUEUED, {"ids": list(ids), "exempt": exempt, "limit": CANCELLED_AT_ONCE})
    found = [row[0] for row in await cursor.fetchall()]
    if not found:
        return 0
    cursor = await connection.execute(_LOCK_QUEUE, {"ids": found})
    locked = [row[0] for row in await cursor.fetchall()]
    cursor = await connection.execute(_LOCK_MESSAGES, {"ids": locked})
    await lock_accounts(connection, {row[0] for row in await cursor.fetchall()})
    await connection.execute(_CANCEL, {"ids": locked, "actor": actor, "code": OPTED_OUT})
    return len(locked)


async def note_pass(connection: Connection, ids: Sequence[UUID], exemption: Exemption, *, quiet: bool) -> bool:
    """Ends the passes of entries that nothing can slip past any more; whether that is all of them.

    The passes of the others are due again at once: the processor decides how often it looks.
    `quiet`: whether no acceptance overlaps with the entries.
    """
    still_open = list(ids)
    if quiet:
        cursor = await connection.execute(_OPEN, {"ids": list(ids), "exempt": sorted(exemption.tags)})
        still_open = [row[0] for row in await cursor.fetchall()]
    await connection.execute(_NOTE_ROUND, {"ids": list(ids), "open": still_open})
    return not still_open


async def take_pending(connection: Connection, limit: int, lease_s: int) -> list[UUID]:
    """Entries whose pass is due, kept from other processes for a while."""
    cursor = await connection.execute(_TAKE_PENDING, {"limit": limit, "lease_s": lease_s})
    return [row[0] for row in await cursor.fetchall()]
