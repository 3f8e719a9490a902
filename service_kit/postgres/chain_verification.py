"""Recomputes the chains of a database from its rows, on a connection of its own, and says where they break.

The rows are hashed here, not by the server. A role that may only read is enough.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import psycopg

from service_kit.audit.chained_table import FORMAT, GENESIS, MARK, Batch, ChainedTable, batch_hash
from service_kit.postgres.removed_rows import RemovedRows, removed_rows

ROWS_AT_ONCE: Final = 50_000
"""Read together: some megabytes."""
_BATCHES_AT_ONCE: Final = 500
_BEFORE_ALL: Final = -(2**63)
"""Below every number of a row, also of one that was forged."""
_PATIENCE: Final = (
    "SET statement_timeout = '15min'",
    "SET enable_seqscan = on",
    "SET work_mem = '64MB'",
    "SET TIME ZONE 'UTC'",
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The hash of a batch, as it was kept outside of the database."""

    chain: str
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The newest batch of a chain."""

    chain: str
    number: int
    """0 while nothing is chained."""
    last_id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What a chain was found to be."""

    chain: str
    rows: int
    """Found as they were chained."""
    batches: int
    unchained: int
    """Rows behind the chain: the newest ones, which the next pass chains."""
    fault: str | None
    """What is broken first, and in which row or batch; None when nothing is."""
    removed: int = 0
    """Rows that were chained and are gone, as the audit log says."""


def heads(connection: psycopg.Connection, tables: Sequence[ChainedTable]) -> list[Head]:
    """The newest batch of each chain."""
    found = []
    for table in tables:
        row = connection.execute(
            "SELECT number, last_id, hash FROM hash_chain WHERE chain = %s ORDER BY number DESC LIMIT 1",
            (table.chain,),
        ).fetchone()
        found.append(Head(table.chain, *(row or (0, 0, GENESIS))))
    return found


def verify_chain(connection: psycopg.Connection, table: ChainedTable, anchors: Sequence[Anchor] = ()) -> ChainVerdict:
    """Recomputes a chain up to its first fault. `anchors`: those of other chains are left out.

    The connection must be in autocommit mode; what it is set to stays.
    """
    for statement in _PATIENCE:
        connection.execute(statement)
    expected = {anchor.number: anchor.hash for anchor in anchors if anchor.chain == table.chain}
    before, after, number, rows = GENESIS, _BEFORE_ALL, 0, 0
    removed = removed_rows(connection, table.table)
    expected.update(removed.heads)
    fault: str | None = None
    for group in _groups(connection, table.chain):
        with closing(_digests(connection, table, after, group[-1].last_id)) as digests:
            stream = _Rows(digests, removed)
            for batch in group:
                fault = _fault_of(batch, before, number, stream, table) or _not_the_anchor(batch, expected)
                if fault is not None:
                    break
                before, after, number, rows = batch.hash, batch.last_id, batch.number, rows + batch.rows
        if fault is not None:
            break
    if fault is None and expected and max(expected) > number:
        fault = f"the chain ends at batch {number}, and batch {max(expected)} was kept as an anchor"
    unchained = 0 if fault else _unchained(connection, table, after)
    return ChainVerdict(table.chain, rows - removed.met, number, unchained, fault, removed.met)


class _Rows:
    """The rows of several batches in their order, each looked at once."""

    def __init__(self, rows: Iterator[tuple[int, bytes]], removed: RemovedRows) -> None:
        self._rows = rows
        self.removed: Final = removed
        self._next = next(rows, None)

    def up_to(self, last_id: int) -> list[tuple[int, bytes]]:
        """The rows whose turn it is, with numbers up to one."""
        found: list[tuple[int, bytes]] = []
        row, rows = self._next, self._rows
        while row is not None and row[0] <= last_id:
            found.append(row)
            row = next(rows, None)
        self._next = row
        return found


def _fault_of(batch: Batch, before: bytes, number: int, stream: _Rows, table: ChainedTable) -> str | None:
    """What is wrong with a batch; None when nothing is.

    The hash of a batch cannot be made anew when rows of it were removed by the rules: those that are left are compared
    with its marks.
    """
    if batch.number != number + 1:
        return f"batch {number + 1} of hash_chain is missing"
    if batch.format != FORMAT:
        return f"batch {batch.number} of hash_chain has the format {batch.format}, which this version does not know"
    rows = stream.up_to(batch.last_id)
    digests = [digest for _, digest in rows]
    if batch.hash == batch_hash(before, table.chain, batch.number, batch.last_id, digests):
        return None
    marked = [
        (int.from_bytes(batch.marks[at : at + 8]), batch.marks[at + 8 : at + 8 + MARK])
        for at in range(0, len(batch.marks), 8 + MARK)
    ]
    left = stream.removed.without(marked)
    if (fault := _first_difference(left, rows, table)) is not None or len(left) < len(marked):
        return fault
    return f"batch {batch.number} of hash_chain was changed, or does not follow the one before"


def _first_difference(
    marked: Sequence[tuple[int, bytes]], rows: Sequence[tuple[int, bytes]], table: ChainedTable
) -> str | None:
    for (chained, mark), (found, digest) in zip(marked, rows, strict=False):
        if chained < found:
            return f"row {chained} of {table.table} is missing"
        if found < chained:
            return f"row {found} of {table.table} was added after its batch was chained"
        if digest[:MARK] != mark:
            return f"row {found} of {table.table} was changed"
    if len(marked) > len(rows):
        return f"row {marked[len(rows)][0]} of {table.table} is missing"
    if len(rows) > len(marked):
        return f"row {rows[len(marked)][0]} of {table.table} was added after its batch was chained"
    return None


def _not_the_anchor(batch: Batch, expected: dict[int, bytes]) -> str | None:
    if expected.get(batch.number, batch.hash) == batch.hash:
        return None
    return f"batch {batch.number} of hash_chain has another hash than its anchor: the chain was written anew"


def _groups(connection: psycopg.Connection, chain: str) -> Iterator[list[Batch]]:
    """The batches of a chain, some together."""
    number = -1
    while True:
        rows = connection.execute(
            "SELECT number, last_id, rows, marks, hash, format FROM hash_chain WHERE chain = %s AND number > %s "
            "ORDER BY number LIMIT %s",
            (chain, number, _BATCHES_AT_ONCE),
            binary=True,
        ).fetchall()
        group: list[Batch] = []
        for batch in (Batch(*row) for row in rows):
            group.append(batch)
            if sum(each.rows for each in group) >= ROWS_AT_ONCE:
                yield group
                group = []
        if group:
            yield group
        if len(rows) < _BATCHES_AT_ONCE:
            return
        number = rows[-1][0]


def _digests(
    connection: psycopg.Connection, table: ChainedTable, after: int, until: int
) -> Generator[tuple[int, bytes]]:
    """The number and the hash of each row with numbers above `after`, up to `until`, in their order."""
    columns = f"{table.key}::int8, {table.encoded}"
    wanted = f"{table.key} > {after:d} AND {table.key} <= {until:d} ORDER BY {table.key}"
    rows = f"SELECT {columns} FROM {table.table} WHERE {wanted}"  # noqa: S608 - constants and integers
    statement = f"COPY ({rows}) TO STDOUT (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(["int8", "bytea"])
        for number, encoded in copy.rows():
            yield number, sha256(encoded).digest()


def _unchained(connection: psycopg.Connection, table: ChainedTable, after: int) -> int:
    row = connection.execute(
        f"SELECT count(*) FROM {table.table} WHERE {table.key} > %s".encode(),  # noqa: S608 - constants
        (after,),
    ).fetchone()
    return 0 if row is None else int(row[0])
