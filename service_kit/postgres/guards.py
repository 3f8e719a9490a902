"""Settings that protect a database from its clients, and whether a session has them.

They belong to the role of the service (`ALTER ROLE … IN DATABASE … SET`), not to the connection: a pooler in
transaction mode refuses start-up options, or drops them without a word, and each transaction may get another session.
Every new connection is asked what holds for it, wherever that comes from, and one without its guards is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import psycopg
from psycopg import sql

from service_kit.postgres.pipeline import BEGIN, ROLLBACK, Connection, Statement, StatementsGoneError, Step

Guards = Mapping[str, str]
"""Values by the names of settings, both as `SHOW` writes them: `30s`, not 30000."""

_LOCK: Final = 0x67756172
"""Advisory lock key: two that change one role at the same moment would fail with "tuple concurrently updated"."""
_CONNECT_S: Final = 10

_END_SESSION: Final = Statement("SELECT pg_terminate_backend(pg_backend_pid())")()
_UNSEPARATED: Final = (
    "a connection pooler stands before the database that does not keep the prepared statements of its clients apart: "
    "use PgBouncer 1.21 or newer in transaction mode with max_prepared_statements above 0, or connect to PostgreSQL "
    "itself"
)


class UnguardedError(psycopg.OperationalError):
    """A session cannot be used as it is set up; the text says what to change, and is for the operator's log."""

    def __init__(self, problem: str, public: str) -> None:
        """`public`: for callers of the service; names no role, database or setting."""
        super().__init__(problem)
        self.public = public


class GuardsNotSetError(Exception):
    """The guards of a role could not be set; the text has the statements that somebody else must run."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a session says of itself."""

    backend: int
    role: str
    database: str
    has_our_name: bool
    """Whether a statement that we prepared has the name that we gave it, at the server."""
    values: Guards


class SessionCheck:
    """Asks sessions for their guards, in one round trip."""

    def __init__(self, guards: Guards) -> None:
        """Raises ValueError for a name that cannot be a setting's."""
        if not all(name.replace("_", "").isalpha() for name in guards):
            raise ValueError(f"not all of these are settings: {', '.join(guards)}")
        self._guards = MappingProxyType(dict(guards))
        settings = "".join(f", current_setting('{name}', true)" for name in guards)
        fixed = "pg_backend_pid(), session_user::text, current_database()::text"
        own_name = "EXISTS (SELECT FROM pg_prepared_statements WHERE name = %(name)s)"
        self._question = Statement(f"SELECT {fixed}, {own_name}{settings}")

    async def require(self, connection: Connection, *, within_s: float) -> None:
        """Returns when a session has its guards, and its prepared statements to itself. Raises UnguardedError."""
        try:
            seen = await self._ask(connection, within_s)
        except StatementsGoneError as error:
            # The session of another client, which has a statement of this name or lacks it.
            raise _unseparated() from error
        is_pooled = seen.backend != connection.info.backend_pid
        if is_pooled and seen.has_our_name:
            raise _unseparated()
        missing = self._missing(seen)
        if missing and is_pooled:
            await self._end_session(connection, within_s)
        if missing:
            raise _unguarded(seen, missing)

    async def _end_session(self, connection: Connection, within_s: float) -> None:
        """Ends the session behind a pooler's connection, if it is one without its guards.

        It may be from before the role had them, and the pooler would keep it for as long as it is asked for.
        """
        try:
            # From here on it is this session, and nobody else has it.
            seen = await self._ask(connection, within_s, BEGIN)
            if self._missing(seen):
                await connection.trip(_END_SESSION, within_s=within_s)
            await connection.trip(ROLLBACK, within_s=within_s)
        except psycopg.Error:
            connection.pgconn.finish()

    def _missing(self, seen: _Seen) -> Guards:
        return {name: value for name, value in self._guards.items() if seen.values[name] != value}

    async def _ask(self, connection: Connection, within_s: float, *before: Step) -> _Seen:
        question = self._question(name=self._question.name)
        rows = (await connection.trip(*before, question, within_s=within_s))[-1]
        ((backend, role, database, has_our_name, *values),) = rows
        shown = {name: value or "" for name, value in zip(self._guards, values, strict=True)}
        return _Seen(backend, role, database, has_our_name, shown)


def set_guards(url: str, guards: Guards) -> None:
    """Gives the role of a URL its guards in the database of that URL; does nothing where they hold already.

    The role needs no rights for it: every role may change its own settings. Sessions that are open keep what they
    began with. Raises GuardsNotSetError where that is forbidden all the same, and psycopg.Error.
    """
    with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        missing = _missing(connection, guards)
        if not missing:
            return
        role, database = _names(connection)
        statements = _statements(role, database, missing)
        try:
            for statement in statements:
                connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise GuardsNotSetError(
                f"the role {role} may not change its own settings; let somebody who may run: {_written(statements)}"
            ) from error


def _missing(connection: psycopg.Connection, guards: Guards) -> Guards:
    """Guards that hold neither in this session nor for the sessions to come."""
    own = connection.execute(
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = current_database() AND r.rolname = session_user"
    ).fetchall()
    to_come = {name.lower(): value for name, _, value in (row[0].partition("=") for row in own)}
    missing = {}
    for name, value in guards.items():
        shown = connection.execute("SELECT current_setting(%s, true)", (name,)).fetchone()
        if to_come.get(name.lower(), shown[0] if shown else None) != value:
            missing[name] = value
    return missing


def _names(connection: psycopg.Connection) -> tuple[str, str]:
    """The role and the database of a session."""
    row = connection.execute("SELECT session_user::text, current_database()::text").fetchone()
    assert row is not None, "a statement without a table has one row"  # noqa: S101 - an invariant
    return row[0], row[1]


def _statements(role: str, database: str, missing: Guards) -> list[sql.Composed]:
    statement = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
    place = (sql.Identifier(role), sql.Identifier(database))
    return [statement.format(*place, sql.Identifier(name), sql.Literal(value)) for name, value in missing.items()]


def _written(statements: list[sql.Composed]) -> str:
    return " ".join(f"{statement.as_string()};" for statement in statements)


def _unguarded(seen: _Seen, missing: Guards) -> UnguardedError:
    wrong = ", ".join(f"{name} is {seen.values[name] or 'unknown'} and must be {missing[name]}" for name in missing)
    remedy = "run `tukupay-sms migrate` with the URL that this service has, or "
    remedy += _written(_statements(seen.role, seen.database, missing))
    return UnguardedError(
        f"the database does not guard its sessions of the role {seen.role}: {wrong}; {remedy}",
        "the database is not set up: run `tukupay-sms migrate`, then try again",
    )


def _unseparated() -> UnguardedError:
    return UnguardedError(
        _UNSEPARATED, "the database is behind a connection pooler that the service cannot use; its log says more"
    )
