"""Partitions on a PostgreSQL pool. The role of a service makes no tables: a function of their owner does."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Final

from typing_extensions import override

from messaging_service.months.month_upkeep import MonthStore, TableMonths
from messaging_service.shared.kept_archives import Archive
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Pool, single_statement
from service_kit.postgres.partitions import PARTITIONS, Partition

TABLES: Final = ("message", "message_event", "message_part")
"""Those that have a partition for each month."""

_ADD: Final = "SELECT add_month_partition(%(table)s, %(ahead)s)"
# From the place where the last look ended, which is on record: no key is looked at twice. Keys are found by their
# messages, which lie in the order of time, so that they need no index of their own.
_FORGET_KEYS: Final = """
    WITH here AS MATERIALIZED (
        SELECT coalesce(
            (SELECT position FROM retention_progress WHERE name = 'idempotency'), '00000000-0000-0000-0000-000000000000'
        ) AS position
        WHERE pg_try_advisory_xact_lock(1297044569, hashtext('idempotency'))
    ), old AS MATERIALIZED (
        SELECT m.id, m.account_id, m.client_message_id FROM here CROSS JOIN LATERAL (
            SELECT id, account_id, client_message_id FROM message
            WHERE id > here.position AND id < (
                lpad(to_hex((extract(epoch FROM now() - make_interval(secs => %(keep_s)s)) * 1000)::int8), 12, '0')
                || '70008000000000000000'
            )::uuid
            ORDER BY id LIMIT %(limit)s
        ) m
    ), gone AS (
        DELETE FROM idempotency i USING old
        WHERE i.account_id = old.account_id AND i.key = old.client_message_id AND i.message_id = old.id
            AND NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.message_id = old.id)
    ), moved AS (
        INSERT INTO retention_progress (name, position)
        SELECT 'idempotency', id FROM old ORDER BY id DESC LIMIT 1
        ON CONFLICT (name) DO UPDATE SET position = excluded.position
    )
    SELECT count(*) FROM old
"""


class PostgresMonths(MonthStore):
    """Implements MonthStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def months(self) -> Mapping[str, TableMonths]:
        async with migrated(single_statement(self._pool)) as connection:
            rows = await (await connection.execute(PARTITIONS, {"tables": list(TABLES)})).fetchall()
        tables = groupby((Partition(*row) for row in rows), key=lambda each: each.table)
        ends = {table: tuple(each.ends for each in partitions) for table, partitions in tables}
        return {table: TableMonths(max(each), each) for table, each in ends.items()}

    @override
    async def add(self, table: str, ahead: int) -> bool:
        async with migrated(single_statement(self._pool)) as connection:
            row = await (await connection.execute(_ADD, {"table": table, "ahead": ahead})).fetchone()
        return row is not None and row[0] is not None


class PostgresKeyRetention(Archive):
    """Forgets by which idempotency keys old messages are known again."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def forget(self, keep_s: float, limit: int) -> int:
        """Deletes the keys of the next messages that are older than `keep_s`; how many messages it looked at.

        The key of a message that is still in the queue stays, until its month goes.
        """
        async with migrated(single_statement(self._pool)) as connection:
            row = await (await connection.execute(_FORGET_KEYS, {"keep_s": keep_s, "limit": limit})).fetchone()
        return 0 if row is None else row[0]
