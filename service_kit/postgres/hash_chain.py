"""Chains rows that were added, by SHA-256, some moments after their transactions are over.

Nobody's transaction waits for it: rows are taken in the order of their numbers once every transaction that may still
add one with a lower number has ended. A number is given out before the commit, so a pass first notes the highest number
given out; the next pass takes a number of a transaction, which is above that of every one that began before; and when
all below it are over, the rows up to the first number are complete for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service_kit.audit.chained_table import FORMAT, MARK, ChainedTable
from service_kit.duties.duty import Duty, DutyLog
from service_kit.postgres.database import Connection, Pool, single_statement, transaction
from service_kit.postgres.database_errors import migrated_tables

DUTY: Final = "hash_chains"
EVERY_S: Final = 1.0
MOST_ROWS: Final = 20_000
"""Of a batch: hashed in a fraction of a second."""
_MOST_LOOKS: Final = 600
"""While a transaction stays open for long, looks wait for its end; later ones are left out."""

# One at a time, also over replicas; whoever is late leaves it to the other.
_TAKE_TURN: Final = "SELECT pg_try_advisory_xact_lock(1751343971, hashtext(%s))"
_OWN: Final = "SELECT pg_current_xact_id()::text"
_TAIL: Final = "SELECT number, last_id FROM hash_chain WHERE chain = %s ORDER BY number DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class _Look:
    """Numbers that were given out, and the transactions that must be over before their rows are complete."""

    highest: Mapping[str, int]
    """By chain."""
    at_s: float
    """When they were read."""
    first_later: int = 0
    """Transactions from this one on began after the numbers were given out."""


@dataclass(frozen=True, slots=True)
class _Reached:
    """How far a chain goes."""

    last_id: int
    """The last number that is chained."""
    until: int
    """The last number that was looked at: those between have no row."""


class HashChains:
    """Chains the tables of one database, for as long as the process lives."""

    def __init__(
        self,
        pool: Pool,
        tables: Sequence[ChainedTable],
        log: DutyLog,
        *,
        clock: Callable[[], float],
        every_s: float = EVERY_S,
        most_rows: int = MOST_ROWS,
    ) -> None:
        """`clock`: seconds, rising. `every_s`: between two passes. `most_rows`: of a batch."""
        self._pool = pool
        self._tables = tables
        self._clock = clock
        self._most_rows = most_rows
        self._newest: _Look | None = None
        self._looks: deque[_Look] = deque()
        self._reached = {table.chain: _Reached(0, 0) for table in tables}
        self._complete_at = {table.chain: clock() for table in tables}
        highest = ", ".join(f"({table.highest})" for table in tables)
        self._look = f"SELECT pg_snapshot_xmin(pg_current_snapshot())::text, {highest}".encode()
        self._statements = {table.chain: _chaining(table).encode() for table in tables}
        self._duty = Duty(DUTY, self.chain_once, log, every_s=every_s)

    async def run(self) -> None:
        """Chains until cancelled."""
        await self._duty.run()

    def lags_s(self) -> dict[str, float]:
        """By chain: how many seconds ago the newest moment was up to which every row is chained."""
        now = self._clock()
        return {chain: now - at for chain, at in self._complete_at.items()}

    async def chain_once(self) -> float | None:
        """Chains what is complete by now; 0 when there is more, otherwise None.

        Raises ServiceError DATABASE_UNAVAILABLE or DATABASE_NOT_READY.
        """
        with migrated_tables():
            ready = await self._ready()
            if ready is None:
                return None
            is_more = [await self._follow(table, ready) for table in self._tables]
        return 0.0 if any(is_more) else None

    async def _ready(self) -> _Look | None:
        """The newest look whose rows are complete."""
        at_s = self._clock()
        async with single_statement(self._pool) as connection:
            if self._newest is not None and not self._is_reached(self._newest) and len(self._looks) < _MOST_LOOKS:
                # Its numbers were read a pass ago: whoever had one by then has the number of its transaction by now.
                own = await (await connection.execute(_OWN)).fetchone()
                assert own is not None, "a statement without a table has one row"  # noqa: S101 - an invariant
                self._looks.append(_Look(self._newest.highest, self._newest.at_s, int(own[0])))
            row = await (await connection.execute(self._look)).fetchone()
        assert row is not None, "a statement without a table has one row"  # noqa: S101 - an invariant
        oldest_open = int(row[0])
        highest = {table.chain: int(value) for table, value in zip(self._tables, row[1:], strict=True)}
        self._newest = _Look(highest, at_s)
        ready = None
        while self._looks and self._looks[0].first_later <= oldest_open:
            ready = self._looks.popleft()
        return self._newest if ready is None and self._is_reached(self._newest) else ready

    def _is_reached(self, look: _Look) -> bool:
        return all(number <= self._reached[chain].until for chain, number in look.highest.items())

    async def _follow(self, table: ChainedTable, ready: _Look) -> bool:
        """Chains the rows of a table up to a look; whether there are more."""
        chain, until = table.chain, ready.highest[table.chain]
        if until > self._reached[chain].until:
            async with transaction(self._pool) as connection:
                reached = await self._chain(connection, table, until)
            if reached is None:
                return False
            self._reached[chain] = reached
            if reached.until < until:
                # This look again, before the newer ones.
                self._looks.appendleft(ready)
                return True
        self._complete_at[chain] = max(self._complete_at[chain], ready.at_s)
        return False

    async def _chain(self, connection: Connection, table: ChainedTable, until: int) -> _Reached | None:
        """Adds a batch of rows with numbers up to one; how far that went. None while another replica is at it."""
        turn = await (await connection.execute(_TAKE_TURN, (table.chain,))).fetchone()
        tail = await (await connection.execute(_TAIL, (table.chain,))).fetchone()
        number, last_id = tail or (0, 0)
        if last_id >= until:
            return _Reached(last_id, last_id)
        if turn is None or not turn[0]:
            return None
        before = self._reached[table.chain]
        # Numbers without a row were rolled back: they are looked through once.
        after = before.until if before.last_id == last_id else last_id
        # Numbers are unique, so a batch of them has at most as many rows, and no more of the table is read.
        until = min(until, after + self._most_rows)
        parameters = {"chain": table.chain, "number": number, "after": after, "until": until, "format": FORMAT}
        made = await (await connection.execute(self._statements[table.chain], parameters)).fetchone()
        return _Reached(last_id if made is None else made[0], until)


def _chaining(table: ChainedTable) -> str:
    """The statement that adds a batch, as `chained_table.batch_hash` defines it."""
    return f"""
        WITH picked AS MATERIALIZED (
            SELECT {table.key}::int8 AS id, sha256({table.encoded}) AS digest FROM {table.table}
            WHERE {table.key} > %(after)s AND {table.key} <= %(until)s
        ), batch AS (
            SELECT count(*) AS rows, max(id) AS last_id, string_agg(digest, ''::bytea ORDER BY id) AS digests,
                string_agg(int8send(id) || substring(digest FOR {MARK}), ''::bytea ORDER BY id) AS marks
            FROM picked
        )
        INSERT INTO hash_chain (chain, number, last_id, rows, marks, hash, format)
        SELECT %(chain)s, %(number)s + 1, last_id, rows, marks,
            sha256(
                coalesce(
                    (SELECT hash FROM hash_chain WHERE chain = %(chain)s AND number = %(number)s),
                    decode(repeat('00', 32), 'hex')
                )
                || convert_to(concat_ws(':', %(chain)s::text, %(number)s + 1, last_id, rows), 'UTF8')
                || digests
            ),
            %(format)s
        FROM batch WHERE rows > 0 RETURNING last_id
    """  # noqa: S608 - constants
