"""Puts the counts of blocks by the hour on record, apart from sends and in large batches.

What a process has counted since the last time is lost when it is killed: counts of some seconds, which say what is
usual over 7 days and what came of messages. No limit and no money depends on them alone.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from messaging_service.abuse.domain.block_counts import BlockCounts, BlockHour, Counts
from messaging_service.shared.postgres.migrated import migrated
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool, transaction
from service_kit.postgres.pipeline import Statement

DUTY: Final = "block_hours"
EVERY_S: Final = 5.0
AT_ONCE: Final = 1_000
"""Rows of one transaction."""

# Nobody waits for the disk: counts may be lost by seconds.
_UNFLUSHED: Final = Statement("SET LOCAL synchronous_commit = off")()
_ADD: Final = Statement("""
    INSERT INTO number_block_hour AS h (account_id, block, hour, sent, refused)
    SELECT account_id, block, to_timestamp(hour * 3600.0), sent, refused
    FROM unnest(%(accounts)s::text[], %(blocks)s::text[], %(hours)s::int[], %(sent)s::int[], %(refused)s::int[])
        AS counted (account_id, block, hour, sent, refused)
    ON CONFLICT (account_id, block, hour) DO UPDATE SET
        sent = h.sent + excluded.sent, refused = h.refused + excluded.refused
""")

log = structlog.get_logger()


class BlockHours:
    """Writes what a process counts, every few seconds and when somebody asks."""

    def __init__(self, pool: Pool, counts: BlockCounts, failures: DutyLog) -> None:
        self._pool = pool
        self._counts = counts
        self._failures = failures
        self._writing = asyncio.Lock()
        self._duty = Duty(DUTY, self.write, failures, every_s=EVERY_S)

    async def run(self) -> None:
        """Writes until cancelled."""
        await self._duty.run()

    async def write(self) -> None:
        """Writes all that was counted before the call.

        Raises ServiceError DATABASE_UNAVAILABLE or DATABASE_NOT_READY; what was not written waits for the next time.
        What the database wrote without being able to say so is counted twice.
        """
        async with self._writing:
            taken = self._counts.take()
            try:
                while taken:
                    await self._add(taken[:AT_ONCE])
                    del taken[:AT_ONCE]
            finally:
                for which, counts in taken:
                    self._counts.add(which, counts)
                if dropped := self._counts.dropped:
                    self._counts.dropped = 0
                    log.warning("abuse.counts_dropped", messages=dropped)

    async def write_last(self) -> None:
        """Writes what is left when a process ends; a failure is reported."""
        try:
            await self.write()
        except ServiceError as error:
            self._failures.upkeep_failed(DUTY, error)

    async def _add(self, rows: list[tuple[BlockHour, Counts]]) -> None:
        step = _ADD(
            accounts=[which.account_id for which, _ in rows],
            blocks=[which.block for which, _ in rows],
            hours=[which.hour for which, _ in rows],
            sent=[counts.sent for _, counts in rows],
            refused=[counts.refused for _, counts in rows],
        )
        async with migrated(transaction(self._pool, _UNFLUSHED)) as connection:
            await connection.trip(step)
