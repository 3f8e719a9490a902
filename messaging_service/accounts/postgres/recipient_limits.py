"""How many messages a phone had from an account this hour, where the account has a limit for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import Statement, Step

Phone = tuple[str, str]
"""An account and a recipient."""

# The counting transaction locks the account, so a count cannot change between the two statements.
_READ = Statement("""
    SELECT c.account_id, c.recipient, c.messages
    FROM unnest(%(accounts)s::text[], %(recipients)s::text[]) AS asked (account_id, recipient)
    JOIN recipient_hour c USING (account_id, recipient) WHERE c.hour = date_trunc('hour', now())
""")
_WRITE = Statement("""
    INSERT INTO recipient_hour (account_id, recipient, hour, messages)
    SELECT account_id, recipient, date_trunc('hour', now()), messages
    FROM unnest(%(accounts)s::text[], %(recipients)s::text[], %(messages)s::int[])
        AS counted (account_id, recipient, messages)
    ON CONFLICT (account_id, recipient) DO UPDATE SET hour = excluded.hour, messages = excluded.messages
""")
_FORGET = """
    DELETE FROM recipient_hour WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM recipient_hour WHERE hour < now() - interval '2 hours' LIMIT %s FOR UPDATE SKIP LOCKED
    ))
"""


def recipient_counts(phones: Iterable[Phone]) -> Step:
    """Reads the messages of this hour to phones, as account, recipient and count; phones that had none have no row.

    The accounts are locked before.
    """
    accounts, recipients = zip(*phones, strict=True)
    return _READ(accounts=accounts, recipients=recipients)


def count_recipients(counts: Mapping[Phone, int]) -> Step:
    """Puts the counts of this hour on record."""
    accounts, recipients = zip(*counts, strict=True)
    return _WRITE(accounts=accounts, recipients=recipients, messages=list(counts.values()))


async def forget_recipients(connection: Connection, limit: int) -> int:
    """Removes counts of hours that are over; how many."""
    return (await connection.execute(_FORGET, (limit,))).rowcount
