"""How much waits, counted along indexes and only so far."""

from __future__ import annotations

from typing import Final

import psycopg
from typing_extensions import override

from messaging_service.sending.postgres.accept_messages import LANES
from messaging_service.sending.queue_state import QueueState, Waiting
from messaging_service.shared.gauge_poller import MOST_COUNTED, View
from service_kit.postgres.database import Pool, transaction
from service_kit.postgres.database_errors import database_unavailable

_PRIORITY_OF: Final = {lane: priority for priority, lane in LANES.items()}

# Each part walks along the index of its own state and stops in time. The planner believes the queue to be empty, as
# it mostly is, and would rather sort all of it; for this transaction it is not given the choice.
_WAY: Final = """
    SELECT set_config('statement_timeout', '2s', true), set_config('enable_sort', 'off', true),
        set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
"""
_LOOK: Final = """
    WITH due AS MATERIALIZED (
        SELECT lane, queued_at FROM dispatch WHERE state = 'ready' AND queued_at <= now()
        ORDER BY queued_at LIMIT {most}
    ), scheduled AS (
        SELECT lane FROM dispatch WHERE state = 'ready' AND queued_at > now() ORDER BY queued_at LIMIT {most}
    ), submitting AS (
        SELECT lane FROM dispatch WHERE state = 'submitting' ORDER BY lease_until LIMIT {most}
    ), unknown AS (
        SELECT lane FROM dispatch WHERE state = 'unknown' ORDER BY due_at LIMIT {most}
    ), inbox AS MATERIALIZED (
        SELECT tries FROM receipt WHERE next_try_at IS NOT NULL ORDER BY next_try_at LIMIT {most}
    ), orphans AS (
        SELECT 1 FROM receipt WHERE message_id IS NULL AND next_try_at IS NULL ORDER BY received_at LIMIT {most}
    )
    SELECT 'due', lane::int, count(*), extract(epoch FROM now() - min(queued_at))::float8 FROM due GROUP BY lane
    UNION ALL SELECT 'scheduled', lane::int, count(*), NULL FROM scheduled GROUP BY lane
    UNION ALL SELECT 'submitting', lane::int, count(*), NULL FROM submitting GROUP BY lane
    UNION ALL SELECT 'unknown', lane::int, count(*), NULL FROM unknown GROUP BY lane
    UNION ALL SELECT 'receipts_new', NULL, count(*), NULL FROM inbox WHERE tries = 0
    UNION ALL SELECT 'receipts_unmatched', NULL, count(*), NULL FROM inbox WHERE tries > 0
    UNION ALL SELECT 'receipts_orphaned', NULL, count(*), NULL FROM orphans
"""


class PostgresQueueView(View[QueueState]):
    """Implements the port View."""

    def __init__(self, pool: Pool, *, most: int = MOST_COUNTED) -> None:
        """`most`: how far rows of one kind are counted."""
        self._pool = pool
        self._look = _LOOK.format(most=most).encode()

    @override
    async def look(self) -> QueueState:
        # Gives up after two seconds, as after a failure.
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(_WAY)
                rows = await (await connection.execute(self._look)).fetchall()
        except psycopg.ProgrammingError as error:
            # Before the migration there is nothing to look at.
            raise database_unavailable(error) from error
        counts = {(kind, lane): count for kind, lane, count, _ in rows}
        return QueueState(
            messages={
                (_PRIORITY_OF[lane], Waiting(kind)): count for (kind, lane), count in counts.items() if lane is not None
            },
            oldest_due_s={_PRIORITY_OF[lane]: age_s for kind, lane, _, age_s in rows if kind == Waiting.DUE},
            receipts_new=counts["receipts_new", None],
            receipts_unmatched=counts["receipts_unmatched", None],
            receipts_orphaned=counts["receipts_orphaned", None],
        )
