"""How long receipts are kept."""

from __future__ import annotations

from service_kit.postgres.database import Connection

# Ids rise with time, so the oldest rows come first, and a step reads no more rows than it may delete.
_FORGET = """
    DELETE FROM receipt WHERE id = ANY(ARRAY(
        SELECT id FROM (SELECT id, received_at, next_try_at FROM receipt ORDER BY id LIMIT %(limit)s) oldest
        WHERE received_at < now() - make_interval(secs => %(keep_s)s) AND next_try_at IS NULL
    ))
"""


async def forget(connection: Connection, keep_s: float, limit: int) -> int:
    """Deletes old receipts; see Archive.forget."""
    return (await connection.execute(_FORGET, {"keep_s": keep_s, "limit": limit})).rowcount
