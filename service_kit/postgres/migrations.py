"""Applies numbered Alembic migrations, safely when several replicas start at once."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.exc import OperationalError

from service_kit.postgres.database import KEPT_ALIVE
from service_kit.postgres.schema_record import record

_LOCK = 0x74756B75
"""Advisory lock key: one migration of a database at a time."""
_LOOK_EVERY_S = 0.1
_UNBOUNDED = ("statement_timeout", "idle_in_transaction_session_timeout")
LOCK_TIMEOUT_S = 5
"""A migration waits no longer than this for a table: later requests for the table wait behind it."""


class PooledError(Exception):
    """A migration was given a URL that does not lead to one session of the server; the text says what to do."""


class TableInUseError(Exception):
    """A migration did not get a table within LOCK_TIMEOUT_S; the text says which statement waited and what to do.

    What was done before that statement stays done or is undone as a whole, so that the migration can be run again.
    """


def engine_for(url: str) -> Engine:
    """A SQLAlchemy engine on a libpq URL, socket folders included.

    A migration may take hours, so its statements have no bound but for locks; a server that vanishes ends them all the
    same.
    """

    def connect() -> psycopg.Connection:
        return psycopg.connect(url, connect_timeout=10, **KEPT_ALIVE)

    return create_engine("postgresql+psycopg://", creator=connect)


def _script(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def upgrade(url: str, folder: Path, metadata: MetaData, revision: str = "head", *, may_be_pooled: bool = False) -> None:
    """Brings a database to a revision of the migrations in a folder; does nothing when it is there.

    Each migration runs in its own transaction. Waits while another process migrates. It needs one session from its
    beginning to its end, so that PooledError is raised for a URL of a pooler; `may_be_pooled`: for one that is known to
    keep sessions. Raises TableInUseError where another session keeps a table for too long.
    """
    script = _script(folder)
    config = Config()
    config.set_main_option("script_location", str(folder))
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            if not may_be_pooled:
                _refuse_pooler(connection)
            _unbind(connection)
            _lock(connection)
            _run(connection, config, script, metadata, revision)
            _record_compatibility(connection, script)
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    finally:
        engine.dispose()


def _refuse_pooler(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - what engine_for makes
    if connection.execute(text("SELECT pg_backend_pid()")).scalar() != driver.info.backend_pid:
        raise PooledError(
            "a connection pooler stands before the database, and a migration needs a session of its own from its "
            "beginning to its end"
        )
    connection.commit()


def _unbind(connection: Connection) -> None:
    """Frees a migration of the time-outs that guard the service, which may have the same role, and bounds its locks."""
    for name in _UNBOUNDED:
        connection.execute(text(f"SET {name} = 0"))
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'"))
    connection.execute(text("SET enable_seqscan = on"))
    connection.commit()


def _lock(connection: Connection) -> None:
    # Not pg_advisory_lock: who waits inside a statement holds up the CREATE INDEX CONCURRENTLY of who migrates.
    while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar():
        connection.commit()
        time.sleep(_LOOK_EVERY_S)
    connection.commit()


def _run(connection: Connection, config: Config, script: ScriptDirectory, metadata: MetaData, revision: str) -> None:
    def steps(current: object, _context: object) -> object:
        return script._upgrade_revs(revision, current)  # type: ignore[arg-type]  # noqa: SLF001

    def applied(ctx: object, step: MigrationInfo, heads: object, run_args: object) -> None:
        # Called with the names of alembic.
        del ctx, heads, run_args
        # In the transaction of the migration: no release may find a schema without what is said of it.
        if isinstance(revision_now := step.up_revision_id, str):
            record(connection, script, revision_now)

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(
            connection=connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            on_version_apply=applied,
        )
        try:
            with environment.begin_transaction():
                environment.run_migrations()
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            raise TableInUseError(
                f"another session kept a table for more than {LOCK_TIMEOUT_S} s, while this statement waited for it: "
                f"{' '.join((error.statement or '').split())[:200]}"
            ) from error


def _record_compatibility(connection: Connection, script: ScriptDirectory) -> None:
    """Records for a database what the migrations that it had already did not: they may be older than the record."""
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if isinstance(revision, str):
        record(connection, script, revision)
    connection.commit()
