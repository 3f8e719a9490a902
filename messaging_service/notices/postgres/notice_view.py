"""Counts what is on its way to endpoints and which alerts are open, along indexes and up to a limit."""

from __future__ import annotations

import math
from typing import Final

from typing_extensions import override

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.notice_state import NoticeState
from messaging_service.shared.gauge_poller import MOST_COUNTED, View
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Pool, transaction

# As for the queue of messages: mostly few rows wait or are open, and the planner would read or sort a whole table.
_WAY: Final = """
    SELECT set_config('statement_timeout', '2s', true), set_config('enable_sort', 'off', true),
        set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
"""
# Only those that have waited longest, so that a look costs the same however much piles up.
_LOOK: Final = """
    WITH waiting AS (
        SELECT endpoint_id, next_try_at FROM webhook_delivery WHERE state = 'pending' ORDER BY give_up_at LIMIT %(most)s
    ), deliveries AS (
        SELECT greatest(w.next_try_at, e.paused_until) AS since,
            e.enabled AND w.next_try_at <= now() AND coalesce(e.paused_until <= now(), true) AS due
        FROM waiting w JOIN webhook_endpoint e ON e.id = w.endpoint_id
    ), unread AS (
        SELECT at FROM message_event
        WHERE xact >= (SELECT (position->'seen'->>0)::xid8 FROM event_reader WHERE name = 'webhooks')
        ORDER BY xact LIMIT 1
    ), endpoints AS (
        SELECT enabled, failing_since FROM webhook_endpoint WHERE deleted_at IS NULL LIMIT %(most)s
    )
    SELECT
        (SELECT count(*) FROM deliveries WHERE due),
        (SELECT count(*) FROM deliveries WHERE NOT due),
        (SELECT extract(epoch FROM now() - min(since))::float8 FROM deliveries WHERE due),
        (SELECT extract(epoch FROM now() - min(at))::float8 FROM unread),
        (SELECT count(*) FROM endpoints WHERE enabled AND failing_since IS NULL),
        (SELECT count(*) FROM endpoints WHERE enabled AND failing_since IS NOT NULL),
        (SELECT count(*) FROM endpoints WHERE NOT enabled),
        (SELECT extract(epoch FROM now() - moved_at)::float8 FROM event_reader
            WHERE name = 'alerts' AND isfinite(moved_at))
"""
_OPEN: Final = """
    SELECT kind, count(*) FROM (SELECT kind FROM alert WHERE resolved_at IS NULL LIMIT %(most)s) AS open GROUP BY kind
"""


class PostgresNoticeView(View[NoticeState]):
    """Looks with a time limit of two seconds, after which it fails."""

    def __init__(self, pool: Pool, *, most: int = MOST_COUNTED) -> None:
        """`most`: how far rows of one kind are counted."""
        self._pool = pool
        self._most = most

    @override
    async def look(self) -> NoticeState:
        parameters = {"most": self._most}
        async with migrated(transaction(self._pool)) as connection:
            await connection.execute(_WAY)
            row = await (await connection.execute(_LOOK, parameters)).fetchone()
            kinds = await (await connection.execute(_OPEN, parameters)).fetchall()
        assert row is not None, "a statement without a table has one row"  # noqa: S101 - an invariant
        due, held, oldest_s, fan_out_lag_s, well, failing, disabled, looked_s = row
        return NoticeState(
            deliveries_due=due,
            deliveries_held=held,
            oldest_due_s=oldest_s or 0.0,
            fan_out_lag_s=fan_out_lag_s or 0.0,
            endpoints_well=well,
            endpoints_failing=failing,
            endpoints_disabled=disabled,
            alerts_open={AlertKind(kind): count for kind, count in kinds},
            alerts_looked_s=math.inf if looked_s is None else looked_s,
        )
