"""Unknown outcomes of accounts that want such messages sent again: once, as a new attempt, under the same hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from messaging_service.abuse.postgres.send_guards import Counting, SendGuards
from messaging_service.accounts.domain.account import AccountStatus
from messaging_service.accounts.postgres.account_rows import lock_accounts
from messaging_service.opt_outs.postgres.suppression_conditions import IS_OF_RECIPIENT
from messaging_service.sending.domain.entry_rules import is_resent_by_itself
from service_kit.access.principal import AccessMode
from service_kit.errors import ServiceError
from service_kit.postgres.database import Connection

RESEND_AT = """
    CASE WHEN NOT d.resent THEN (
        SELECT now() + make_interval(secs => %(resend_after_s)s)
        FROM message m JOIN account a ON a.id = m.account_id
        WHERE m.id = d.message_id AND a.resend_unknown
    ) END
"""
"""When a row `d` of the queue that becomes unknown is sent again by itself; NULL for never."""
RESEND_AT_OF_OWNED = RESEND_AT.replace("message m JOIN account a ON a.id = m.account_id", "account a").replace(
    "m.id = d.message_id", "a.id = owned.account_id"
)
"""The same where a row `owned` says whose message it is."""

# In the order in which everybody locks: rows of the queue, messages, accounts.
_DUE = """
    SELECT message_id, ctid::text FROM dispatch WHERE resend_at <= now()
    ORDER BY resend_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
# What is_resent_by_itself asks. Rows that it does not want wait for a receipt or the end of their window like others.
_ASK = f"""
    SELECT m.id, m.account_id, m.recipient, m.tags, m.mode, a.status, a.resend_unknown, m.retry_count,
        coalesce(m.expires_at <= now(), false) AS is_outdated,
        EXISTS (SELECT 1 FROM suppression s WHERE {IS_OF_RECIPIENT} AND s.ended_at IS NULL) AS is_opted_out
    FROM message m JOIN account a ON a.id = m.account_id
    WHERE m.id = ANY(%(ids)s) ORDER BY m.id FOR NO KEY UPDATE OF m
"""
_RESEND = """
    WITH left_alone AS (
        UPDATE dispatch SET
            resend_at = (
                SELECT now() + later.pause
                FROM unnest(%(later)s::uuid[], %(pauses)s::interval[]) AS later (id, pause) WHERE later.id = message_id
            )
        WHERE ctid = ANY(%(other_places)s::tid[])
    ), queued AS (
        UPDATE dispatch SET
            state = 'ready', resend_at = NULL, resent = true, tries = 0,
            due_at = now(), queued_at = now()
        WHERE ctid = ANY(%(places)s::tid[])
        RETURNING message_id
    ), moved AS (
        UPDATE message m SET
            state = 'ready', retry_count = m.retry_count + 1, carrier = NULL,
            error_code = NULL, carrier_error_code = NULL
        FROM queued WHERE m.id = queued.message_id
        RETURNING m.id, m.retry_count + 1 AS attempt
    )
    INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, code)
    SELECT id, attempt, 'unknown', 'ready', %(owner)s, 'UNKNOWN_RESENT' FROM moved
"""


class _Due(NamedTuple):
    """An unknown message whose time to be sent again has come, locked."""

    id: UUID
    account_id: str
    recipient: str
    tags: list[str]
    mode: str
    status: str
    """Of its account."""
    resend_unknown: bool
    retry_count: int
    is_outdated: bool
    is_opted_out: bool


async def resend_unknown(connection: Connection, owner: str, max_retries: int, limit: int, counting: Counting) -> int:
    """Queues unknown messages again whose accounts want that, inside the caller's transaction; how many.

    A phone that has had its share is left in peace until its limit lets one more through.
    """
    cursor = await connection.execute(_DUE, {"limit": limit})
    places: dict[UUID, str] = dict(await cursor.fetchall())
    if not places:
        return 0
    cursor = await connection.execute(_ASK, {"ids": list(places)})
    wanted = [each for row in await cursor.fetchall() if _is_wanted(each := _Due._make(row), max_retries)]
    later = await _over_limits(connection, wanted, counting)
    again = {each.id for each in wanted} - later.keys()
    await connection.execute(
        _RESEND,
        {
            "later": list(later),
            "pauses": list(later.values()),
            "places": [place for id_, place in places.items() if id_ in again],
            "other_places": [place for id_, place in places.items() if id_ not in again],
            "owner": owner,
        },
    )
    return len(again)


def _is_wanted(due: _Due, max_retries: int) -> bool:
    return is_resent_by_itself(
        status=AccountStatus(due.status),
        resend_unknown=due.resend_unknown,
        retry_count=due.retry_count,
        max_retries=max_retries,
        is_outdated=due.is_outdated,
        is_opted_out=due.is_opted_out,
    )


async def _over_limits(
    connection: Connection, wanted: Sequence[_Due], counting: Counting
) -> dict[UUID, timedelta | None]:
    """The messages that would exceed a limit of their account, with how long it holds; the others are counted.

    None for what no time changes: such a message waits for a receipt like others.
    """
    if not wanted:
        return {}
    guards = SendGuards(await lock_accounts(connection, {each.account_id for each in wanted}), counting)
    planned = [
        (each.id, guards.plan(each.account_id, each.recipient, each.tags))
        for each in wanted
        if each.mode == AccessMode.LIVE
    ]
    await guards.read(connection)
    over: dict[UUID, timedelta | None] = {}
    for message_id, guarded in planned:
        if guarded is None:
            continue
        try:
            guards.check(guarded)
        except ServiceError as error:
            over[message_id] = error.retry_after
        else:
            guards.count(guarded)
    if counts := guards.kept():
        await connection.trip(*counts)
    return over
