"""Unknown outcomes of accounts that want such messages sent again: once, as a new attempt, under the same hold."""

from __future__ import annotations

from service_kit.database import Connection

RESEND_AT = """
    CASE WHEN NOT d.resent THEN (
        SELECT now() + make_interval(secs => %(resend_after_s)s)
        FROM message m JOIN account a ON a.id = m.account_id
        WHERE m.id = d.message_id AND a.resend_unknown
    ) END
"""
"""When a row `d` of the queue that becomes unknown is sent again by itself; NULL for never."""

# What was wanted when the outcome became unknown is asked again: the account may have changed its mind or be stopped,
# the message may be over, the phone may have opted out (of whatever it was: a second copy needs no fine print). Such
# rows wait for their receipt or the end of their window like others.
_RESEND = """
    WITH due AS (
        SELECT ctid AS place, message_id FROM dispatch WHERE resend_at <= now()
        ORDER BY resend_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), asked AS (
        SELECT due.place, a.resend_unknown AND a.status = 'active' AND m.retry_count < %(max_retries)s
            AND coalesce(m.expires_at > now(), true) AND NOT EXISTS (
                SELECT 1 FROM suppression s WHERE s.phone = m.recipient AND s.ended_at IS NULL
            ) AS wanted
        FROM due JOIN message m ON m.id = due.message_id JOIN account a ON a.id = m.account_id
    ), left_alone AS (
        UPDATE dispatch SET resend_at = NULL WHERE ctid = ANY(ARRAY(SELECT place FROM asked WHERE NOT wanted))
    ), queued AS (
        UPDATE dispatch SET
            state = 'ready', resend_at = NULL, resent = true, tries = 0,
            due_at = now(), queued_at = now()
        WHERE ctid = ANY(ARRAY(SELECT place FROM asked WHERE wanted))
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


async def resend_unknown(connection: Connection, owner: str, max_retries: int, limit: int) -> int:
    """Queues unknown messages again whose accounts want that; how many."""
    cursor = await connection.execute(_RESEND, {"owner": owner, "max_retries": max_retries, "limit": limit})
    return cursor.rowcount
