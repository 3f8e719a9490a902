"""What several kinds of tests share: one PostgreSQL server for the whole run, and a database a test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Protocol

import psycopg
import pytest
from psycopg import sql

from service_kit.embedded_postgres import EmbeddedPostgres


def pytest_configure() -> None:
    """Lets SIGINT reach what tests start, also when whoever started the run ignores it (`nohup make test &`).

    An ignored signal stays ignored in every child process, and tests press Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        _execute(
            postgres_server,
            statement.format(sql.Identifier(name), sql.Identifier(template or "template1")),
        )
        made.append(name)
        return postgres_server.url(name)

    yield create
    for name in made:
        _execute(
            postgres_server,
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)),
        )


def _execute(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
