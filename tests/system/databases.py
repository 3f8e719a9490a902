"""Migrated databases on the server of the run, cloned in moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate, clone
from tests.system.privacy import DATABASE_PASSWORD

_numbers = count(1)
_MIGRATIONS = {"pricing": migrate_pricing, "messaging": migrate_messaging}


def with_password(url: str) -> str:
    """The same URL with a password, which the server does not ask for; no log may show it."""
    return url.replace("tukupay@", f"tukupay:{DATABASE_PASSWORD}@", 1)


def over_tcp(server: EmbeddedPostgres, name: str) -> str:
    """The URL of a database on a server that was started with a port, by the network instead of the Unix socket."""
    statement = sql.SQL("ALTER ROLE tukupay PASSWORD {}").format(sql.Literal(DATABASE_PASSWORD))
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
    port = conninfo_to_dict(server.url(name))["port"]
    return f"postgresql://tukupay:{DATABASE_PASSWORD}@127.0.0.1:{port}/{name}"


class Database:
    """One database of a service."""

    def __init__(self, server: EmbeddedPostgres, name: str, url: str | None = None) -> None:
        """`url`: how services reach it; None for the server's Unix socket."""
        self._administration = server.url("postgres")
        self._name = name
        self.url = url or with_password(server.url(name))

    @classmethod
    def at(cls, url: str, administration: str) -> Self:
        """One on any server; `administration` is the URL of its owner's database."""
        made = cls.__new__(cls)
        made._administration, made._name, made.url = administration, str(conninfo_to_dict(url)["dbname"]), url
        return made

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection of its own, for a transaction that stays open."""
        options = "-c idle_in_transaction_session_timeout=0"
        with psycopg.connect(self.url, autocommit=True, options=options) as connection:
            yield connection

    def value(self, query: str, *parameters: object) -> Any:
        """The one value of a query."""
        ((value,),) = self.rows(query, *parameters)
        return value

    def run(self, statement: str) -> None:
        """Runs a statement that gives no rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """Ends every connection and takes no more, as a server that is away."""
        self._allow(False)
        name = conninfo_to_dict(self.url)["dbname"]
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(self._administration, autocommit=True) as connection:
            connection.execute(terminate, [name])

    def open(self) -> None:
        """Takes connections again."""
        self._allow(True)

    def drop(self) -> None:
        """Removes it, whoever is still connected."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._name)))

    def _allow(self, allowed: bool) -> None:
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        self._execute(statement.format(sql.Identifier(self._name), sql.Literal(allowed)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._administration, autocommit=True) as connection:
            connection.execute(statement)


class Databases:
    """Makes databases by cloning a migrated one for each service."""

    def __init__(self, server: EmbeddedPostgres, template: DatabaseTemplate) -> None:
        self._server = server
        self._template = template

    @property
    def server_log(self) -> str:
        """What PostgreSQL logged in this run."""
        return self._server.log_file.read_text(errors="replace")

    def create(self, service: str) -> Database:
        """A new, empty database of a service."""
        name = f"system_{next(_numbers)}_{service}"
        template = self._template(f"{service}_template", _MIGRATIONS[service])
        clone(self._server, name, template)
        return Database(self._server, name)


def on_own_server(
    server: EmbeddedPostgres, services: Sequence[str] = ("pricing", "messaging"), *, tcp: bool = False
) -> dict[str, Database]:
    """Migrated databases on a server that a test may kill; `tcp` needs a server with a port."""
    for service in services:
        server.ensure_database(service)
        _MIGRATIONS[service](server.url(service))
    return {service: Database(server, service, over_tcp(server, service) if tcp else None) for service in services}
