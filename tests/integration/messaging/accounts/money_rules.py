"""What must hold of money and states whatever happened, as statements that find what breaks it."""

from __future__ import annotations

from messaging_service.shared.domain.states import MOVES, STARTS

BROKEN = {
    "posted is not the sum of the ledger": """
        SELECT a.id FROM account a LEFT JOIN ledger_entry l ON l.account_id = a.id
        GROUP BY a.id HAVING a.posted <> coalesce(sum(l.amount), 0)""",
    "held is not the sum of what is on hold": """
        SELECT a.id FROM account a LEFT JOIN message m ON m.account_id = a.id AND m.billing = 'held'
        GROUP BY a.id HAVING a.held <> coalesce(sum(m.total), 0)""",
    "a prepaid account is below its limit": """
        SELECT id FROM account WHERE mode = 'prepaid' AND posted - held < -(credit_limit + overdrawn)""",
    "an account is further below its limit than corrections took it": """
        SELECT a.id FROM account a WHERE a.overdrawn > (
            SELECT coalesce(-sum(l.amount), 0) FROM ledger_entry l
            WHERE l.account_id = a.id AND l.kind = 'adjustment' AND l.amount < 0
        )""",
    "a total is not units times price": "SELECT id FROM message WHERE total <> units * unit_price",
    "an attempt was charged without an acceptance, or accepted without a charge": """
        SELECT * FROM (
            SELECT message_id, attempt FROM message_event
            WHERE to_state = 'accepted' OR (from_state = 'unknown' AND to_state IN ('delivered', 'undelivered'))
        ) accepted FULL JOIN (
            SELECT message_id, attempt, -amount AS charged FROM ledger_entry WHERE kind = 'charge'
        ) charge USING (message_id, attempt)
        LEFT JOIN message m ON m.id = message_id
        WHERE accepted IS NULL OR charge IS NULL OR charged <> m.total""",
    "the billing of a message is not that of its present attempt": """
        SELECT m.id FROM message m
        LEFT JOIN ledger_entry c ON c.message_id = m.id AND c.attempt = m.retry_count + 1 AND c.kind = 'charge'
        LEFT JOIN ledger_entry r ON r.message_id = m.id AND r.attempt = m.retry_count + 1 AND r.kind = 'refund'
        WHERE (m.billing IN ('charged', 'refunded')) <> (c.id IS NOT NULL)
            OR (m.billing = 'refunded') <> (r.id IS NOT NULL)
            OR (m.billing = 'held') <> (m.state IN ('scheduled', 'ready', 'submitting', 'unknown'))""",
    "a refund is not of a charge, and of the same amount": """
        SELECT r.id FROM ledger_entry r
        LEFT JOIN ledger_entry c ON c.message_id = r.message_id AND c.attempt = r.attempt AND c.kind = 'charge'
        WHERE r.kind = 'refund' AND r.amount IS DISTINCT FROM -c.amount""",
    "a message was sent again by itself twice in a row, or without having been unknown": """
        SELECT e.message_id FROM message_event e
        LEFT JOIN message_event before ON before.message_id = e.message_id AND before.attempt = e.attempt - 1
            AND before.code = 'UNKNOWN_RESENT'
        JOIN message m ON m.id = e.message_id
        WHERE e.code = 'UNKNOWN_RESENT' AND (before.id IS NOT NULL OR e.from_state <> 'unknown')""",
    "a message was submitted once its validity was over": """
        SELECT m.id FROM message m WHERE m.last_attempt_at >= m.expires_at""",
    "the queue is not what is open": """
        SELECT coalesce(m.id, d.message_id) FROM message m FULL JOIN dispatch d ON d.message_id = m.id
        WHERE (d.message_id IS NOT NULL) <> (m.state IN ('scheduled', 'ready', 'submitting', 'unknown'))
            OR (d.state = 'ready') <> (m.state IN ('scheduled', 'ready'))
            OR (d.state <> 'ready' AND d.state <> m.state)""",
    "an event does not begin where the one before ended": """
        SELECT message_id, from_state, before FROM (
            SELECT message_id, from_state,
                lag(to_state) OVER (PARTITION BY message_id ORDER BY id) AS before FROM message_event
        ) chain WHERE from_state IS DISTINCT FROM before""",
    "the last event does not end in the state": """
        SELECT m.id FROM message m WHERE (
            SELECT (e.to_state, e.attempt::int) FROM message_event e WHERE e.message_id = m.id ORDER BY id DESC LIMIT 1
        ) IS DISTINCT FROM (m.state, m.retry_count + 1)""",
    "an accepted attempt has more parts than units": """
        SELECT message_id FROM message_part p JOIN message m ON m.id = p.message_id
        GROUP BY message_id, attempt, units HAVING count(*) > units""",
    "a key does not lead to its message": """
        SELECT coalesce(m.id, i.message_id) FROM message m
        FULL JOIN idempotency i ON i.account_id = m.account_id AND i.key = m.client_message_id
        WHERE i.message_id IS DISTINCT FROM m.id""",
}
LEGAL = {(None, start.value) for start in STARTS} | {
    (source.value, target.value) for source, targets in MOVES.items() for target in targets
}
