"""Partitions by months of a UUID of version 7: which there are, and how one leaves without holding up its table."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.errors import LockNotAvailable

LOCK_WAIT_S: Final = 0.3
"""Whoever comes behind a removal that waits for a table waits as long, and no longer."""
TRIES: Final = 300
_LONGEST_PAUSE_S: Final = 0.4

PARTITIONS: Final = r"""
    SELECT p.relname::text, c.relname::text, substring(b.bound FROM 'FROM \(''([0-9a-f-]+)''\)')::uuid,
        substring(b.bound FROM 'TO \(''([0-9a-f-]+)''\)')::uuid, pg_total_relation_size(c.oid),
        NOT h.inhdetachpending, h.inhdetachpending
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_class p ON p.oid = h.inhparent
        CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS b (bound)
    WHERE p.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND p.relname = ANY(%(tables)s)
    ORDER BY p.relname, 4
"""
# By their names: what was detached by a removal that was broken off before it dropped them.
_LEFT: Final = r"""
    SELECT c.relname::text, pg_total_relation_size(c.oid) FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
        AND c.relname ~ (%(table)s || '_(before_)?\d{4}_\d{2}$') AND starts_with(c.relname, %(table)s)
    ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a table, or what was one."""

    table: str
    name: str
    lowest: UUID | None
    """The lowest id in it; None for all below `above`."""
    above: UUID
    """The lowest id after it."""
    octets: int
    """With its indexes."""
    is_attached: bool = True
    """Whether its rows are seen in the table."""
    is_leaving: bool = False
    """Whether a removal was broken off in the middle."""

    @property
    def ends(self) -> datetime:
        """The first instant after it, in UTC."""
        return datetime.fromtimestamp((self.above.int >> 80) // 1_000, UTC)


def take_time(connection: psycopg.Connection) -> None:
    """Frees a session of its own of the time-outs that guard services, for scans of whole months."""
    connection.execute("SET statement_timeout = 0; SET enable_seqscan = on; SET work_mem = '64MB'; SET TIME ZONE 'UTC'")


def partitions(connection: psycopg.Connection, table: str) -> list[Partition]:
    """Those of a table and those that left it and are still there, oldest first."""
    found = [Partition(*row) for row in connection.execute(PARTITIONS, {"tables": [table]}).fetchall()]
    for name, octets in connection.execute(_LEFT, {"table": table}).fetchall():
        lowest, above = _bounds_of(name)
        found.append(Partition(table, name, lowest, above, octets, is_attached=False))
    return sorted(found, key=lambda each: each.above)


def _bounds_of(name: str) -> tuple[UUID | None, UUID]:
    year, month = int(name[-7:-3]), int(name[-2:])
    if name[:-8].endswith("_before"):
        return None, smallest_of(datetime(year, month, 1, tzinfo=UTC))
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return smallest_of(datetime(year, month, 1, tzinfo=UTC)), smallest_of(after)


def smallest_of(instant: datetime) -> UUID:
    """The smallest UUID of version 7 that is made at an instant or later."""
    return UUID(int=int(instant.timestamp() * 1_000) << 80 | 0x7 << 76 | 0b10 << 62)


def count(connection: psycopg.Connection, name: str, condition: LiteralString = "true") -> int:
    """How many rows of a partition meet a condition."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(name), sql.SQL(condition))
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])


def numbers(connection: psycopg.Connection, name: str, column: LiteralString) -> str:
    """The values of a column of integers, as PostgreSQL writes their ranges: `{[1,5),[7,8)}`."""
    query = sql.SQL("SELECT coalesce(range_agg(int8range({0}, {0}, '[]')), '{{}}')::text FROM {1}").format(
        sql.Identifier(column), sql.Identifier(name)
    )
    row = connection.execute(query).fetchone()
    return "{}" if row is None else str(row[0])


def detach(connection: psycopg.Connection, partition: Partition) -> Partition:
    """Takes a partition out of its table while reads and writes go on; it waits for transactions that use it.

    The connection is in autocommit mode. One that was broken off in the middle is brought to its end.
    """
    names = {"table": sql.Identifier(partition.table), "name": sql.Identifier(partition.name)}
    connection.execute("SET lock_timeout = 0")
    if partition.is_leaving:
        connection.execute(sql.SQL("ALTER TABLE {table} DETACH PARTITION {name} FINALIZE").format(**names))
    elif partition.is_attached:
        connection.execute(sql.SQL("ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY").format(**names))
    return replace(partition, is_attached=False, is_leaving=False)


def attach(connection: psycopg.Connection, partition: Partition) -> None:
    """Puts a partition back; its rows are not read again, as detaching left a check of them."""
    lowest = sql.SQL("MINVALUE") if partition.lowest is None else sql.Literal(str(partition.lowest))
    statement = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(partition.table), sql.Identifier(partition.name), lowest, sql.Literal(str(partition.above))
    )
    _briefly(connection, lambda: connection.execute(statement))


def drop(connection: psycopg.Connection, partition: Partition, note: Callable[[], object]) -> None:
    """Drops what was detached; `note` writes the evidence, in the same transaction."""
    statement = sql.SQL("DROP TABLE {}").format(sql.Identifier(partition.name))

    def noted() -> None:
        connection.execute(statement)
        note()

    _briefly(connection, noted)


def _briefly(connection: psycopg.Connection, work: Callable[[], object]) -> None:
    """Does work in a transaction that waits for each lock for LOCK_WAIT_S, TRIES times. Raises LockNotAvailable."""
    for left in reversed(range(TRIES)):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{LOCK_WAIT_S}s")))
                work()
        except LockNotAvailable:
            if not left:
                raise
            time.sleep(random.uniform(0.05, _LONGEST_PAUSE_S))  # noqa: S311 - no secret
        else:
            return
