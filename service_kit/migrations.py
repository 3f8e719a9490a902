"""Applies numbered Alembic migrations, safely when several replicas start at once."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, text

_LOCK = 0x74756B75
"""Advisory lock key: one migration of a database at a time."""
_LOOK_EVERY_S = 0.1


def engine_for(url: str) -> Engine:
    """A SQLAlchemy engine on a libpq URL, socket folders included."""
    return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=10))


def _script(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def upgrade(url: str, folder: Path, metadata: MetaData, revision: str = "head") -> None:
    """Brings a database to a revision of the migrations in a folder; does nothing when it is there.

    Each migration runs in its own transaction. Waits while another process migrates.
    """
    script = _script(folder)
    config = Config()
    config.set_main_option("script_location", str(folder))
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            _lock(connection)
            _run(connection, config, script, metadata, revision)
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    finally:
        engine.dispose()


def _lock(connection: Connection) -> None:
    # Not pg_advisory_lock: who waits inside a statement holds up the CREATE INDEX CONCURRENTLY of who migrates.
    while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar():
        connection.commit()
        time.sleep(_LOOK_EVERY_S)
    connection.commit()


def _run(connection: Connection, config: Config, script: ScriptDirectory, metadata: MetaData, revision: str) -> None:
    def steps(current: object, _context: object) -> object:
        return script._upgrade_revs(revision, current)  # type: ignore[arg-type]  # noqa: SLF001

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()


def head(folder: Path) -> str:
    """The newest revision in a folder."""
    revision = _script(folder).get_current_head()
    if revision is None:
        raise ValueError(f"no migrations in {folder}")
    return revision
