"""Unknown outcomes of accounts that want such messages sent again: once, as a new attempt, under the same hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from messaging_service.accounts.domain.account import AccountStatus
from messaging_service.accounts.postgres.account_rows import lock_accounts
from messaging_service.accounts.postgres.recipient_limits import Phone, count_recipients, recipient_counts
from messaging_service.opt_outs.postgres.suppression_tables import IS_OF_RECIPIENT
from messaging_service.sending.domain.entry_rules import is_resent_by_itself
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

# In the order in which everybody locks: rows of the queue, messages, accounts.
_DUE = """
    SELECT message_id, ctid::text FROM dispatch WHERE resend_at <= now()
    ORDER BY resend_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
# What is_resent_by_itself asks. Rows that it does not want wait for a receipt or the end of their window like others.
_ASK = f"""
    SELECT m.id, m.account_id, m.recipient, a.recipient_hour_limit IS NOT NULL AS is_limited,
        a.status, a.resend_unknown, m.retry_count, coalesce(m.expires_at <= now(), false) AS is_outdated,
        EXISTS (SELECT 1 FROM suppression s WHERE {IS_OF_RECIPIENT} AND s.ended_at IS NULL) AS is_opted_out
    FROM message m JOIN account a ON a.id = m.account_id
    WHERE m.id = ANY(%(ids)s) ORDER BY m.id FOR NO KEY UPDATE OF m
"""
_RESEND = """
    WITH left_alone AS (
        UPDATE dispatch SET
            resend_at = CASE WHEN message_id = ANY(%(later)s) THEN date_trunc('hour', now()) + interval '1 hour' END
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
    is_limited: bool
    """Whether its account has a limit for each phone."""
    status: str
    """Of its account."""
    resend_unknown: bool
    retry_count: int
    is_outdated: bool
    is_opted_out: bool

    @property
    def phone(self) -> Phone:
        """What the limits of its account count by."""
        return self.account_id, self.recipient


async def resend_unknown(connection: Connection, owner: str, max_retries: int, limit: int) -> int:
    """Queues unknown messages again whose accounts want that, inside the caller's transaction; how many.

    A phone that has had its share of the hour is left in peace until the next one.
    """
    cursor = await connection.execute(_DUE, {"limit": limit})
    places: dict[UUID, str] = dict(await cursor.fetchall())
    if not places:
        return 0
    cursor = await connection.execute(_ASK, {"ids": list(places)})
    wanted = [each for row in await cursor.fetchall() if _is_wanted(each := _Due._make(row), max_retries)]
    later = await _over_limits(connection, [each for each in wanted if each.is_limited])
    again = {each.id for each in wanted} - later
    await connection.execute(
        _RESEND,
        {
            "later": list(later),
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


async def _over_limits(connection: Connection, limited: Sequence[_Due]) -> set[UUID]:
    """The messages that would exceed the limit of their phone; the others are counted."""
    if not limited:
        return set()
    accounts = await lock_accounts(connection, {each.phone[0] for each in limited})
    counts = await recipient_counts(connection, [each.phone for each in limited])
    over: set[UUID] = set()
    for each in limited:
        try:
            accounts[each.phone[0]].check_recipient(counts[each.phone])
        except ServiceError:
            over.add(each.id)
        else:
            counts[each.phone] += 1
    await count_recipients(connection, counts)
    return over
