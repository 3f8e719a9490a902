"""How many messages a phone had from an account this hour, where the account has a limit for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service_kit.postgres.database import Connection

Phone = tuple[str, str]
"""An account and a recipient."""

# The counting transaction locks the account, so a count cannot change between the two statements.
_READ = """
    SELECT c.account_id, c.recipient, c.messages
    FROM unnest(%s::text[], %s::text[]) AS asked (account_id, recipient)
    JOIN recipient_hour c USING (account_id, recipient) WHERE c.hour = date_trunc('hour', now())
"""
_WRITE = """
    INSERT INTO recipient_hour (account_id, recipient, hour, messages)
    SELECT account_id, recipient, date_trunc('hour', now()), messages
    FROM unnest(%s::text[], %s::text[], %s::int[]) AS counted (account_id, recipient, messages)
    ON CONFLICT (account_id, recipient) DO UPDATE SET hour = excluded.hour, messages = excluded.messages
"""
_FORGET = """
    DELETE FROM recipient_hour WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM recipient_hour WHERE hour < now() - interval '2 hours' LIMIT %s FOR UPDATE SKIP LOCKED
    ))
"""


async def recipient_counts(connection: Connection, phones: Iterable[Phone]) -> dict[Phone, int]:
    """Messages of this hour to phones, 0 included; the accounts are locked by the caller."""
    counts = dict.fromkeys(phones, 0)
    cursor = await connection.execute(_READ, ([phone[0] for phone in counts], [phone[1] for phone in counts]))
    for account_id, recipient, messages in await cursor.fetchall():
        counts[account_id, recipient] = messages
    return counts


async def count_recipients(connection: Connection, counts: Mapping[Phone, int]) -> None:
    """Puts the counts of this hour on record."""
    columns = ([phone[0] for phone in counts], [phone[1] for phone in counts], list(counts.values()))
    await connection.execute(_WRITE, columns)


async def forget_recipients(connection: Connection, limit: int) -> int:
    """Removes counts of hours that are over; how many."""
    return (await connection.execute(_FORGET, (limit,))).rowcount
