"""Prepared statements, several of them in one round trip to PostgreSQL.

A cursor of psycopg costs some 150 µs of processor time for each statement, and a round trip each. That is nothing
beside most of what a service does, and half of all that the few statements cost which run hundreds of times a second.
Those go to psycopg's own libpq as they are, in its pipeline mode: 25 µs for a statement, and no more round trips than
the caller has questions.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

_PARAMETER = re.compile(r"%\((\w+)\)s")

Rows = Sequence[tuple[Any, ...]]
Value = str | bytes | int | float | Sequence[str | int | UUID] | None
"""What a parameter may be: bytes are UTF-8, a sequence is an array. PostgreSQL takes its type from where it stands."""


class Step(NamedTuple):
    """A statement with its parameters, ready to be sent."""

    statement: Statement
    values: list[bytes | None]


class Statement:
    """A statement that each connection prepares when it first meets it. Its parameters are written `%(name)s`."""

    __slots__ = ("names", "text")

    def __init__(self, text: str) -> None:
        numbers: dict[str, int] = {}
        self.text: Final = _PARAMETER.sub(
            lambda place: f"${numbers.setdefault(place[1], len(numbers) + 1)}", text
        ).encode()
        self.names: Final = tuple(numbers)

    def __call__(self, **values: Value) -> Step:
        """The statement with a value for each parameter. Raises KeyError when one is missing."""
        return Step(self, [_octets(values[name]) for name in self.names])


BEGIN: Final = Statement("BEGIN")()
COMMIT: Final = Statement("COMMIT")()
# By a trip, too: psycopg drops all prepared statements of a connection, ours as well, when it sees one of its own.
ROLLBACK: Final = Statement("ROLLBACK")()
ROLLBACK_AND_CHAIN: Final = Statement("ROLLBACK AND CHAIN")()


class Connection(AsyncConnection[TupleRow]):
    """A connection of psycopg that can also make trips."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - psycopg's own
        super().__init__(*arguments, **options)
        self._statements: dict[Statement, bytes] = {}
        self._names = count()

    async def trip(self, *steps: Step) -> list[Rows]:
        """Runs statements in one round trip; the rows of each.

        The first that fails ends the trip: the others did not run, its error is raised, and a transaction that was
        open waits for its ROLLBACK. Outside of one, what ran before it in the same trip is undone with it. Who is
        cancelled meanwhile has closed the connection, as its answers would be taken for those to the next question.
        """
        async with self.lock:
            try:
                self.pgconn.enter_pipeline_mode()
                about = [each for step in steps for each in self._send(step)]
                self.pgconn.pipeline_sync()
                results = await self._results()
                self.pgconn.exit_pipeline_mode()
            except BaseException:
                self.pgconn.finish()
                raise
        return self._rows(about, results)

    def _send(self, step: Step) -> list[Statement | None]:
        """Hands a statement to libpq, after its preparation if need be.

        For each answer that will come: the statement whose preparation it is about, None where it is about the rows.
        """
        statement, values = step
        name = self._statements.get(statement)
        if name is not None:
            self.pgconn.send_query_prepared(name, values)
            return [None]
        name = self._statements[statement] = b"trip_%d" % next(self._names)
        self.pgconn.send_prepare(name, statement.text)
        self.pgconn.send_query_prepared(name, values)
        return [statement, None]

    async def _results(self) -> list[PGresult]:
        """What PostgreSQL answers, up to the end of the trip."""
        pgconn, loop, news = self.pgconn, asyncio.get_running_loop(), asyncio.Event()
        socket = pgconn.socket
        results: list[PGresult] = []
        is_unsent = pgconn.flush()
        loop.add_reader(socket, news.set)
        if is_unsent:
            loop.add_writer(socket, news.set)
        try:
            while True:
                await news.wait()
                news.clear()
                if is_unsent and not (is_unsent := pgconn.flush()):
                    loop.remove_writer(socket)
                pgconn.consume_input()
                while not pgconn.is_busy():
                    result = pgconn.get_result()
                    if result is None:
                        # Between the answers to two statements, unless nothing follows any more.
                        if pgconn.status == ConnStatus.BAD:
                            raise psycopg.OperationalError("the connection was lost")
                    elif result.status == ExecStatus.PIPELINE_SYNC:
                        return results
                    else:
                        results.append(result)
        finally:
            loop.remove_reader(socket)
            if is_unsent:
                loop.remove_writer(socket)

    def _rows(self, about: Sequence[Statement | None], results: Sequence[PGresult]) -> list[Rows]:
        rows: list[Rows] = []
        failure: psycopg.Error | None = None
        transformer = Transformer(self)
        for statement, result in zip(about, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                failure = error_from_result(result, self.info.encoding)
            if statement is not None:
                if result.status != ExecStatus.COMMAND_OK:
                    del self._statements[statement]
            elif result.status == ExecStatus.TUPLES_OK:
                transformer.set_pgresult(result)
                rows.append(transformer.load_rows(0, result.ntuples, tuple))
            else:
                rows.append(())
        if isinstance(failure, psycopg.errors.InvalidSqlStatementName):
            # Dropped by somebody, or a pooler leads to another server now: prepared anew, it works the next time.
            self._statements.clear()
            raise psycopg.OperationalError("the prepared statements are gone") from failure
        if failure is not None:
            raise failure
        return rows


def _octets(value: Value) -> bytes | None:
    """A value as PostgreSQL reads it from text."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (int, float)):
        return str(value).encode()
    return f"{{{','.join(map(_element, value))}}}".encode()


def _element(value: str | int | UUID) -> str:
    """A value within an array."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value.hex if isinstance(value, UUID) else str(value)
