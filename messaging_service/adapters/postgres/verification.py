"""Recomputes the books from messages and ledger entries."""

from __future__ import annotations

from messaging_service.domain.ledger import BookFault, Rule, Verified
from service_kit.database import Connection

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
        SELECT id, posted - held, -credit_limit, NULL::uuid FROM account
        WHERE mode = 'prepaid' AND posted - held < -credit_limit
            AND (%(account)s::text IS NULL OR id = %(account)s)
        ORDER BY id LIMIT %(limit)s
    """,
    # A charge of the present attempt, of exactly the total, if and only if the message says that it was charged;
    # a refund of it as well if it says that it was refunded.
    Rule.CHARGED: """
        SELECT m.account_id, coalesce(l.charges, 0), (m.billing IN ('charged', 'refunded'))::int, m.id
        FROM message m LEFT JOIN (
            SELECT message_id, attempt, account_id,
                count(*) FILTER (WHERE kind = 'charge') AS charges,
                count(*) FILTER (WHERE kind = 'refund') AS refunds,
                sum(amount) FILTER (WHERE kind = 'charge') AS charged,
                sum(amount) FILTER (WHERE kind = 'refund') AS refunded
            FROM ledger_entry WHERE message_id IS NOT NULL GROUP BY message_id, attempt, account_id
        ) l ON l.message_id = m.id AND l.attempt = m.retry_count + 1
        WHERE (%(account)s::text IS NULL OR m.account_id = %(account)s) AND (
            coalesce(l.charges, 0) <> (m.billing IN ('charged', 'refunded'))::int
            OR coalesce(l.refunds, 0) <> (m.billing = 'refunded')::int
            OR coalesce(l.charged, 0) <> CASE WHEN m.billing IN ('charged', 'refunded') THEN -m.total ELSE 0 END
            OR coalesce(l.refunded, 0) <> CASE WHEN m.billing = 'refunded' THEN m.total ELSE 0 END
            OR l.account_id <> m.account_id
        )
        ORDER BY m.id LIMIT %(limit)s
    """,
    Rule.TOTAL: """
        SELECT account_id, total, units * unit_price, id FROM message
        WHERE total <> units * unit_price AND (%(account)s::text IS NULL OR account_id = %(account)s)
        ORDER BY id LIMIT %(limit)s
    """,
}


async def verify_books(connection: Connection, account_id: str | None, limit: int) -> Verified:
    """See Books.verify; must be the first in its transaction."""
    await connection.execute(_BEGIN)
    await connection.execute(_PATIENCE)
    faults: list[BookFault] = []
    for rule, query in _CHECKS.items():
        cursor = await connection.execute(query.encode(), {"account": account_id, "limit": limit})
        faults += [BookFault(row[0], rule, row[1], row[2], row[3]) for row in await cursor.fetchall()]
    row = await (await connection.execute(_COUNTS, {"account": account_id})).fetchone()
    assert row is not None, "counts give one row"  # noqa: S101 - an invariant, not a check of input
    return Verified(accounts=row[0], messages=row[1], entries=row[2], faults=tuple(faults[:limit]))
