"""What the inbox of receipts holds, and for how long."""

from __future__ import annotations

from messaging_service.use_cases.receipt_inbox import Backlog
from service_kit.database import Connection

# Both counts run over small partial indexes, whatever the size of the inbox.
_BACKLOG = """
    SELECT waiting.receipts, waiting.oldest_s, orphans.receipts
    FROM (
        SELECT count(*) AS receipts, extract(epoch FROM now() - min(received_at))::float8 AS oldest_s
        FROM receipt WHERE next_try_at IS NOT NULL
    ) waiting, (
        SELECT count(*) AS receipts FROM receipt WHERE message_id IS NULL AND next_try_at IS NULL
    ) orphans
"""
# Ids rise with time, so the oldest rows come first, and a step reads no more rows than it may delete.
_FORGET = """
    DELETE FROM receipt WHERE id IN (
        SELECT id FROM (SELECT id, received_at, next_try_at FROM receipt ORDER BY id LIMIT %(limit)s) oldest
        WHERE received_at < now() - make_interval(secs => %(keep_s)s) AND next_try_at IS NULL
    )
"""


async def backlog(connection: Connection) -> Backlog:
    """See ReceiptArchive.backlog."""
    row = await (await connection.execute(_BACKLOG)).fetchone()
    assert row is not None, "a count has a row"  # noqa: S101 - an invariant, not a check of input
    return Backlog(waiting=row[0], oldest_s=row[1] or 0.0, orphans=row[2])


async def forget(connection: Connection, keep_s: float, limit: int) -> int:
    """See ReceiptArchive.forget."""
    return (await connection.execute(_FORGET, {"keep_s": keep_s, "limit": limit})).rowcount
