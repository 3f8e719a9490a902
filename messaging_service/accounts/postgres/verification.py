"""Recomputes the books from messages and ledger entries."""

from __future__ import annotations

from itertools import groupby

from messaging_service.accounts.domain.ledger import BookFault, Rule, Verified
from messaging_service.accounts.postgres.ledger_rows import ENTRY
from messaging_service.shared.postgres.month_ranges import KEPT_FROM
from service_kit.postgres.database import Connection

# A report may take longer than the statements of sending.
_BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_PATIENCE = "SET LOCAL statement_timeout = '15min'"

_COUNTS = """
    SELECT
        (SELECT count(*) FROM account WHERE %(account)s::text IS NULL OR id = %(account)s),
        (SELECT count(*) FROM message WHERE %(account)s::text IS NULL OR account_id = %(account)s),
        (SELECT count(*) FROM ledger_entry WHERE %(account)s::text IS NULL OR account_id = %(account)s)
"""
_CHECKS: dict[Rule, str] = {
    Rule.POSTED: """
        SELECT a.id, a.posted, coalesce(l.amount, 0), NULL::uuid
        FROM account a LEFT JOIN (
            SELECT account_id, sum(amount) AS amount FROM ledger_entry
            WHERE %(account)s::text IS NULL OR account_id = %(account)s GROUP BY account_id
        ) l ON l.account_id = a.id
        WHERE (%(account)s::text IS NULL OR a.id = %(account)s) AND a.posted <> coalesce(l.amount, 0)
        ORDER BY a.id LIMIT %(limit)s
    """,
    Rule.HELD: """
        SELECT a.id, a.held, coalesce(m.total, 0), NULL::uuid
        FROM account a LEFT JOIN (
            SELECT account_id, sum(total) AS total FROM message
            WHERE billing = 'held' AND (%(account)s::text IS NULL OR account_id = %(account)s) GROUP BY account_id
        ) m ON m.account_id = a.id
        WHERE (%(account)s::text IS NULL OR a.id = %(account)s) AND a.held <> coalesce(m.total, 0)
        ORDER BY a.id LIMIT %(limit)s
    """,
    Rule.PREPAID: """
        SELECT id, posted - held, -(credit_limit + overdrawn), NULL::uuid FROM account
        WHERE mode = 'prepaid' AND posted - held < -(credit_limit + overdrawn)
            AND (%(account)s::text IS NULL OR id = %(account)s)
        ORDER BY id LIMIT %(limit)s
    """,
    # A charge of the present attempt if and only if the message says that it was charged; a refund of it as well if it
    # says that it was refunded. Test messages cost nothing and have no entries.
    Rule.CHARGED: """
        SELECT m.account_id, coalesce(l.charges + l.refunds, 0), (m.mode = 'live')::int
            * ((m.billing IN ('charged', 'refunded'))::int + (m.billing = 'refunded')::int), m.id
        FROM message m LEFT JOIN (
            SELECT message_id, attempt, account_id,
                count(*) FILTER (WHERE kind = 'charge') AS charges,
                count(*) FILTER (WHERE kind = 'refund') AS refunds
            FROM ledger_entry
            WHERE message_id IS NOT NULL AND (%(account)s::text IS NULL OR account_id = %(account)s)
            GROUP BY message_id, attempt, account_id
        ) l ON l.message_id = m.id AND l.attempt = m.retry_count + 1
        WHERE (%(account)s::text IS NULL OR m.account_id = %(account)s) AND (
            coalesce(l.charges, 0) <> (m.mode = 'live' AND m.billing IN ('charged', 'refunded'))::int
            OR coalesce(l.refunds, 0) <> (m.mode = 'live' AND m.billing = 'refunded')::int
            OR l.account_id <> m.account_id
        )
        ORDER BY m.id LIMIT %(limit)s
    """,
    # The same of the attempts before a resend, by what carriers said of them, and no entry without its message, unless
    # that was of a month that is removed.
    Rule.EARLIER: f"""
        SELECT coalesce(m.account_id, l.account_id), coalesce(l.charges, 0), coalesce(e.acceptances, 0), message_id
        FROM (
            SELECT l.message_id, l.attempt, l.account_id, count(*) FILTER (WHERE l.kind = 'charge') AS charges,
                count(*) FILTER (WHERE l.kind = 'refund') AS refunds
            FROM ledger_entry l LEFT JOIN message m ON m.id = l.message_id
            WHERE l.message_id IS NOT NULL AND l.attempt IS DISTINCT FROM m.retry_count + 1
                AND (m.id IS NOT NULL OR l.message_id >= {KEPT_FROM})
                AND (%(account)s::text IS NULL OR l.account_id = %(account)s)
            GROUP BY l.message_id, l.attempt, l.account_id
        ) l FULL JOIN (
            SELECT e.message_id, e.attempt, 1 AS acceptances FROM message m JOIN message_event e ON e.message_id = m.id
            WHERE m.retry_count > 0 AND m.mode = 'live' AND e.attempt <= m.retry_count AND (
                e.to_state = 'accepted' OR (e.from_state = 'unknown' AND e.to_state IN ('delivered', 'undelivered'))
            ) AND (%(account)s::text IS NULL OR m.account_id = %(account)s)
            GROUP BY e.message_id, e.attempt
        ) e USING (message_id, attempt)
        LEFT JOIN message m ON m.id = message_id
        WHERE m.id IS NULL OR coalesce(l.charges, 0) <> coalesce(e.acceptances, 0) OR l.refunds > l.charges
            OR l.account_id <> m.account_id
        ORDER BY message_id LIMIT %(limit)s
    """,
    Rule.AMOUNT: """
        SELECT l.account_id, abs(l.amount), m.total, m.id FROM ledger_entry l JOIN message m ON m.id = l.message_id
        WHERE l.kind IN ('charge', 'refund') AND abs(l.amount) <> m.total
            AND (%(account)s::text IS NULL OR l.account_id = %(account)s)
        ORDER BY l.id LIMIT %(limit)s
    """,
    Rule.TOTAL: """
        SELECT account_id, total, units * unit_price, id FROM message
        WHERE total <> units * unit_price AND (%(account)s::text IS NULL OR account_id = %(account)s)
        ORDER BY id LIMIT %(limit)s
    """,
}


_SHARED = f"""
    SELECT p.key, {", ".join(f"l.{name}" for name in ENTRY.names)}
    FROM payment_reference p JOIN ledger_entry l ON l.id = p.entry_id
    WHERE p.key = ANY(ARRAY(
        SELECT DISTINCT p.key FROM payment_reference p
        WHERE p.is_shared AND (%(account)s::text IS NULL OR EXISTS (
            SELECT 1 FROM payment_reference o JOIN ledger_entry e ON e.id = o.entry_id
            WHERE o.key = p.key AND e.account_id = %(account)s
        ))
        ORDER BY p.key LIMIT %(limit)s
    ))
    ORDER BY p.key, l.id
"""


_SHARED_ENTRY = ENTRY.reader(("key", *ENTRY.names))


async def verify_books(connection: Connection, account_id: str | None, limit: int) -> Verified:
    """Recomputes the books of one account or of all; must be the first in its transaction. `limit`: most faults."""
    await connection.execute(_BEGIN)
    await connection.execute(_PATIENCE)
    faults: list[BookFault] = []
    for rule, query in _CHECKS.items():
        cursor = await connection.execute(query.encode(), {"account": account_id, "limit": limit})
        faults += [BookFault(row[0], rule, row[1], row[2], row[3]) for row in await cursor.fetchall()]
    cursor = await connection.execute(_SHARED, {"account": account_id, "limit": limit})
    shared = tuple(
        tuple(_SHARED_ENTRY(row) for row in group)
        for _, group in groupby(await cursor.fetchall(), key=lambda row: row[0])
    )
    row = await (await connection.execute(_COUNTS, {"account": account_id})).fetchone()
    assert row is not None, "counts give one row"  # noqa: S101 - an invariant, not a check of input
    return Verified(accounts=row[0], messages=row[1], entries=row[2], faults=tuple(faults[:limit]), shared=shared)
