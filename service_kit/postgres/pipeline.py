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
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, capabilities
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

STATEMENT_TIMEOUT_S = 30.0
"""The server ends a statement that runs for longer."""
PATIENCE_S = STATEMENT_TIMEOUT_S + 5.0
"""The longest wait for the answer to one round trip. A server that ends its statements answers before that, so one that
has said nothing by then is gone, stands still or cannot be heard: the connection is closed."""

_PARAMETER = re.compile(r"%\((\w+)\)s")
_POLL_S = 0.1
_NOT_OURS: Final = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement)

RV = TypeVar("RV")

Rows = Sequence[tuple[Any, ...]]
Value = str | bytes | int | float | Sequence[str | int | UUID] | None
"""What a parameter may be: bytes are UTF-8, a sequence is an array. PostgreSQL takes its type from where it stands."""


class Step(NamedTuple):
    """A statement with its parameters, ready to be sent."""

    statement: Statement
    values: list[bytes | None]


class Statement:
    """A statement that each connection prepares when it first meets it. Its parameters are written `%(name)s`.

    Its name at the server follows from its text: wherever sessions are shared, one name means one statement.
    """

    __slots__ = ("name", "names", "text")

    def __init__(self, text: str) -> None:
        numbers: dict[str, int] = {}
        self.text: Final = _PARAMETER.sub(
            lambda place: f"${numbers.setdefault(place[1], len(numbers) + 1)}", text
        ).encode()
        self.name: Final = b"tukupay_" + blake2b(self.text, digest_size=16).hexdigest().encode()
        self.names: Final = tuple(numbers)

    def __call__(self, **values: Value) -> Step:
        """The statement with a value for each parameter. Raises KeyError when one is missing."""
        return Step(self, [_octets(values[name]) for name in self.names])


_CLOSING: Final = Statement("")
_CAN_CLOSE: Final = capabilities.has_send_close_prepared()


class StatementsGoneError(psycopg.OperationalError):
    """The session does not have the statements that were prepared on its connection, or has others."""


BEGIN: Final = Statement("BEGIN")()
COMMIT: Final = Statement("COMMIT")()
# By a trip, too: psycopg drops all prepared statements of a connection, ours as well, when it sees one of its own.
ROLLBACK: Final = Statement("ROLLBACK")()
ROLLBACK_AND_CHAIN: Final = Statement("ROLLBACK AND CHAIN")()


class Connection(AsyncConnection[TupleRow]):
    """A connection of psycopg that can also make trips, and waits for no answer for ever."""

    patience_s: float = PATIENCE_S
    """The longest wait for an answer, of trips and of psycopg's own cursors."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - psycopg's own
        super().__init__(*arguments, **options)
        self._named: set[bytes] = set()
        self._refused: set[bytes] = set()
        """Names whose preparation failed. PostgreSQL forgot them, but a pooler on the way may not have."""

    async def wait(self, gen: PQGen[RV], interval: float = _POLL_S, timeout: float | None = None) -> RV:  # noqa: ASYNC109 - psycopg's own
        """What every cursor waits with. Raises OperationalError when the server stays silent, and closes."""
        began = asyncio.get_running_loop().time()
        try:
            return await super().wait(gen, interval, self.patience_s if timeout is None else timeout)
        except psycopg.OperationalError as error:
            silent = timeout is None and asyncio.get_running_loop().time() - began >= self.patience_s
            if not silent or error.sqlstate is not None:
                raise
            self.pgconn.finish()
            raise self._silence(self.patience_s) from None

    async def trip(self, *steps: Step, within_s: float | None = None) -> list[Rows]:
        """Runs statements in one round trip; the rows of each.

        The first that fails ends the trip: the others did not run, its error is raised, and a transaction that was
        open waits for its ROLLBACK. Outside of one, what ran before it in the same trip is undone with it. Cancelling
        closes the connection, because a late reply would be read as the answer to the next question; so does a server
        that has not answered `within_s` (None: `patience_s`), which raises OperationalError.
        """
        async with self.lock:
            try:
                self.pgconn.enter_pipeline_mode()
                about = [each for step in steps for each in self._send(step)]
                self.pgconn.pipeline_sync()
                results = await self._results(self.patience_s if within_s is None else within_s)
                self.pgconn.exit_pipeline_mode()
            except BaseException:
                self.pgconn.finish()
                raise
        return self._rows(about, results)

    def _send(self, step: Step) -> list[Statement | None]:
        """Hands a statement to libpq, after its preparation if need be.

        For each answer that will come: the statement whose preparation it is about, None where it is about the rows,
        _CLOSING where it is about neither.
        """
        statement, values = step
        if statement.name in self._named:
            self.pgconn.send_query_prepared(statement.name, values)
            return [None]
        closing: list[Statement | None] = []
        if _CAN_CLOSE and statement.name in self._refused:
            self._refused.discard(statement.name)
            self.pgconn.send_close_prepared(statement.name)
            closing.append(_CLOSING)
        self._named.add(statement.name)
        self.pgconn.send_prepare(statement.name, statement.text)
        self.pgconn.send_query_prepared(statement.name, values)
        return [*closing, statement, None]

    async def _results(self, patience_s: float) -> list[PGresult]:
        """What PostgreSQL answers, up to the end of the trip."""
        pgconn, loop, news = self.pgconn, asyncio.get_running_loop(), asyncio.Event()
        socket = pgconn.socket
        results: list[PGresult] = []
        deadline = loop.time() + patience_s
        timer = loop.call_at(deadline, news.set)
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
                if self._is_whole(results):
                    return results
                if loop.time() >= deadline:
                    raise self._silence(patience_s)
                # uvloop calls the reader of a socket in error once and then drops it, with what is left to read: the
                # last words of a server that dies come with such an error.
                loop.remove_reader(socket)
                loop.add_reader(socket, news.set)
        finally:
            timer.cancel()
            loop.remove_reader(socket)
            if is_unsent:
                loop.remove_writer(socket)

    def _is_whole(self, results: list[PGresult]) -> bool:
        """Takes the answers that are here; whether the last one is among them. Raises what ended the connection."""
        while not self.pgconn.is_busy():
            result = self.pgconn.get_result()
            if result is None:
                # Between the answers to two statements, unless nothing follows any more.
                if self.pgconn.status == ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection was lost")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return True
            elif _ends_connection(result):
                # The end of the file may come late or never; nothing else follows this.
                cause = error_from_result(result, self.info.encoding)
                raise psycopg.OperationalError("the server ended the connection") from cause
            else:
                results.append(result)
        return False

    @staticmethod
    def _silence(patience_s: float) -> psycopg.OperationalError:
        return psycopg.OperationalError(f"the server did not answer within {patience_s:g} s; the connection is closed")

    def _rows(self, about: Sequence[Statement | None], results: Sequence[PGresult]) -> list[Rows]:
        rows: list[Rows] = []
        failure: psycopg.Error | None = None
        transformer = Transformer(self)
        for statement, result in zip(about, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                failure = error_from_result(result, self.info.encoding)
            if statement is _CLOSING:
                continue
            if statement is not None:
                if result.status != ExecStatus.COMMAND_OK:
                    self._named.discard(statement.name)
                    self._refused.add(statement.name)
            elif result.status == ExecStatus.TUPLES_OK:
                transformer.set_pgresult(result)
                rows.append(transformer.load_rows(0, result.ntuples, tuple))
            else:
                rows.append(())
        if isinstance(failure, _NOT_OURS) or is_stale_plan(failure):
            # Dropped or made by somebody else, or a column has another type than when they were prepared. A name can be
            # given once in a session, so that it takes a new one to prepare them anew.
            self.pgconn.finish()
            raise StatementsGoneError("the prepared statements are gone; the connection is closed") from failure
        if failure is not None:
            raise failure
        return rows


def is_stale_plan(error: BaseException | None) -> bool:
    """Whether a prepared statement gives other types than when it was prepared, as after a migration."""
    # By its place in the server, as the words come in the server's language, and the SQLSTATE has other causes too.
    return (
        isinstance(error, psycopg.errors.FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"
    )


def _ends_connection(result: PGresult) -> bool:
    """Whether the server says that it closes the connection with this."""
    if result.status != ExecStatus.FATAL_ERROR:
        return False
    severity = result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED)
    sqlstate = result.error_field(DiagnosticField.SQLSTATE) or b""
    return severity in (b"FATAL", b"PANIC") or sqlstate.startswith(b"57P")


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
