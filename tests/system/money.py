"""The invariants of money and state, looked at in the database itself."""

from __future__ import annotations

from tests.system.databases import Database

_INVARIANTS = {
    "posted is the sum of the ledger": """
        SELECT a.id, a.posted, coalesce(sum(l.amount), 0) FROM account a LEFT JOIN ledger_entry l ON l.account_id = a.id
        GROUP BY a.id HAVING a.posted <> coalesce(sum(l.amount), 0)
    """,
    "held is the sum of what messages hold": """
        SELECT a.id, a.held, coalesce(sum(m.total), 0)
        FROM account a LEFT JOIN message m ON m.account_id = a.id AND m.billing = 'held'
        GROUP BY a.id HAVING a.held <> coalesce(sum(m.total), 0)
    """,
    "a charge is the total of its message": """
        SELECT m.id, l.amount, m.total FROM ledger_entry l JOIN message m ON m.id = l.message_id
        WHERE l.kind = 'charge' AND (l.amount <> -m.total OR l.account_id <> m.account_id)
    """,
    "a charged attempt has one charge, any other none, nor has a test": """
        SELECT m.id, m.mode, m.billing, count(l.id) FROM message m
        LEFT JOIN ledger_entry l ON l.message_id = m.id AND l.attempt = m.retry_count + 1 AND l.kind = 'charge'
        GROUP BY m.id HAVING count(l.id) <> (m.mode = 'live' AND m.billing IN ('charged', 'refunded'))::int
    """,
    "a refund is of a charge of the same attempt and amount": """
        SELECT r.id FROM ledger_entry r
        LEFT JOIN ledger_entry c ON c.message_id = r.message_id AND c.attempt = r.attempt AND c.kind = 'charge'
        WHERE r.kind = 'refund' AND (r.amount IS DISTINCT FROM -c.amount OR r.account_id IS DISTINCT FROM c.account_id)
    """,
    "a message that says so was refunded, for its present attempt": """
        SELECT m.id, m.billing FROM message m
        WHERE (m.mode = 'live' AND m.billing = 'refunded') <> EXISTS (
            SELECT FROM ledger_entry l
            WHERE l.message_id = m.id AND l.attempt = m.retry_count + 1 AND l.kind = 'refund'
        )
    """,
    "no prepaid account is further below its limit than corrections took it": """
        SELECT id, posted, held, credit_limit, overdrawn FROM account
        WHERE mode = 'prepaid' AND posted - held < -(credit_limit + overdrawn)
    """,
    "charged if and only if an acceptance is on record": """
        SELECT m.id, m.state, m.billing FROM message m
        WHERE (m.billing IN ('charged', 'refunded')) <> EXISTS (
            SELECT FROM message_event e WHERE e.message_id = m.id AND e.attempt = m.retry_count + 1
                AND e.to_state IN ('accepted', 'delivered', 'undelivered')
        )
    """,
    "no test is charged, or in the ledger": """
        SELECT m.id, m.total FROM message m LEFT JOIN ledger_entry l ON l.message_id = m.id
        WHERE m.mode = 'test' AND (m.total <> 0 OR l.id IS NOT NULL)
    """,
    "the total is units times the price": "SELECT id FROM message WHERE total <> units * unit_price",
    "what is open has a place in the queue, what has ended has none": """
        SELECT m.id, m.state, d.state FROM message m LEFT JOIN dispatch d ON d.message_id = m.id
        WHERE coalesce(d.state, 'none') <> CASE
            WHEN m.state IN ('ready', 'scheduled') THEN 'ready'
            WHEN m.state IN ('submitting', 'unknown') THEN m.state
            ELSE 'none'
        END
    """,
    "every message is told by its events": """
        SELECT m.id, m.state FROM message m WHERE m.state IS DISTINCT FROM (
            SELECT to_state FROM message_event e WHERE e.message_id = m.id ORDER BY e.id DESC LIMIT 1
        )
    """,
    "events follow one another without a gap": """
        SELECT message_id, from_state, before FROM (
            SELECT message_id, from_state, lag(to_state) OVER (PARTITION BY message_id ORDER BY id) AS before
            FROM message_event
        ) AS steps WHERE from_state IS DISTINCT FROM before
    """,
    "every key leads to a message": """
        SELECT i.account_id, i.message_id FROM idempotency i LEFT JOIN message m ON m.id = i.message_id
        WHERE m.id IS NULL
    """,
}


def broken_invariants(messaging: Database) -> list[str]:
    """Every invariant that does not hold, with the rows that break it."""
    found = []
    for invariant, query in _INVARIANTS.items():
        if rows := messaging.rows(query):
            found.append(f"{invariant}: {rows[:5]}")
    return found
