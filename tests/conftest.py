"""What several kinds of tests share: one PostgreSQL server for the whole run, and a database a test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final, Protocol

import psycopg
import pytest
from psycopg import sql
from xdist.remote import Producer

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.scheduling import ROOT, ByFileOrSystem, scope_of
from tests.system import pgbouncer, standby

collect_ignore = ["operations"]
"""Takes minutes a test; collected where it is named."""


def pytest_configure() -> None:
    """Lets SIGINT reach what tests start, also when whoever started the run ignores it (`nohup make test &`).

    An ignored signal stays ignored in every child process, and tests press Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


_LONG_FIRST = ("faults", "acceptance", "integration", "contract")
"""Folders of tests, those with the longest files first, so that no process works alone at the end of a run."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the folders, and before all of them the tests that share a system; within one all stays as it was."""

    def rank(item: pytest.Item) -> int:
        file = item.path.relative_to(ROOT).as_posix()
        folder = file.split("/")[1]
        if scope_of(file) != file:
            return -1
        return _LONG_FIRST.index(folder) if folder in _LONG_FIRST else len(_LONG_FIRST)

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFileOrSystem | None:
    """Gives the tests of a file, and those that share a system, to one process."""
    return ByFileOrSystem(config, log) if config.getvalue("dist") == "loadfile" else None


class FreshDatabase(Protocol):
    """Makes a new database and gives its URL."""

    def __call__(self, *, template: str | None = None) -> str: ...


class DatabaseTemplate(Protocol):
    """Names a database to clone, which `prepare` (a migration) filled once in this run."""

    def __call__(self, name: str, prepare: Callable[[str], None]) -> str: ...


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The server of this run. Tests that kill or stop a server start one of their own."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", fsync=False) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _pooler(request: pytest.FixtureRequest) -> Iterator[None]:
    """PgBouncer between the pools of services and the server, where that is asked for."""
    named = os.environ.get(pgbouncer.SETTING)
    if not named:
        yield
        return
    server = request.getfixturevalue("postgres_server")
    with pgbouncer.pgbouncer(server, named) as pooler, pgbouncer.all_pools_through(pooler):
        yield


@pytest.fixture(scope="session", autouse=True)
def _replica(request: pytest.FixtureRequest) -> Iterator[None]:
    """A standby of the server for every read that may go to one, where that is asked for."""
    if not os.environ.get(standby.SETTING):
        yield
        return

    with (
        standby.standby_of(request.getfixturevalue("postgres_server")) as server,
        standby.all_lagging_reads_from(server),
    ):
        yield


@pytest.fixture(scope="session")
def database_template(postgres_server: EmbeddedPostgres) -> DatabaseTemplate:
    prepared: set[str] = set()

    def template(name: str, prepare: Callable[[str], None]) -> str:
        if name not in prepared:
            postgres_server.ensure_database(name)
            prepare(postgres_server.url(name))
            prepared.add(name)
        return name

    return template


@pytest.fixture(scope="session")
def _database_names() -> Iterator[str]:
    return (f"test_{number}" for number in count(1))


@pytest.fixture
def fresh_database(postgres_server: EmbeddedPostgres, _database_names: Iterator[str]) -> Iterator[FreshDatabase]:
    """A factory of databases that are dropped after the test, with whatever is still connected to them."""
    made: list[str] = []

    def create(*, template: str | None = None) -> str:
        name = next(_database_names)
        clone(postgres_server, name, template or "template1")
        made.append(name)
        return postgres_server.url(name)

    yield create
    for name in made:
        _execute(
            postgres_server,
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)),
        )


# Copied file by file: through the log, page by page, a clone would take three times as long.
_CLONE: Final = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
# What `migrate` gives the role in one database is not part of that database.
_COPY_GUARDS: Final = sql.SQL(
    """
    DO $$
    DECLARE guard text;
    BEGIN
        FOR guard IN
            SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
            WHERE d.datname = {template}
        LOOP
            EXECUTE format(
                'ALTER ROLE CURRENT_USER IN DATABASE %I SET %s = %L',
                {name}, split_part(guard, '=', 1), split_part(guard, '=', 2)
            );
        END LOOP;
    END $$
    """
)


def clone(server: EmbeddedPostgres, name: str, template: str) -> None:
    """Makes a database that is the same as another one, and has the same guards."""
    _execute(server, _CLONE.format(sql.Identifier(name), sql.Identifier(template)))
    _execute(server, _COPY_GUARDS.format(name=sql.Literal(name), template=sql.Literal(template)))


def _execute(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
