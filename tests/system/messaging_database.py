"""One messaging database for many tests, emptied before each: a tenth of the time that a new one takes."""

from __future__ import annotations

from typing import Any

import psycopg

from messaging_service.wiring.messaging_tables import metadata
from messaging_service.wiring.migrate import migrate
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate
from tests.system.emptied import emptied
from tests.system.waiting import eventually

NAME = "messaging_shared"
STAYS_OPEN = "-c idle_in_transaction_session_timeout=0"
"""Options of a connection whose transaction a test leaves open: the guards of the role would end it after 5 s."""
EMPTY = "; ".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables))
"""Deletes all rows, of which there are few: truncating so many tables would take twenty times as long."""


def empty_database(server: EmbeddedPostgres, template: DatabaseTemplate) -> str:
    """The URL of a migrated database without a row."""
    return emptied(server.url(template(NAME, migrate)), EMPTY)


async def rows(url: str, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Runs one statement on a connection of its own."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []


async def until_found(url: str, statement: str) -> None:
    """Returns when a question has an answer."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:

        async def answer() -> tuple[Any, ...] | None:
            return await (await connection.execute(statement.encode())).fetchone()

        await eventually(f"an answer to {statement}", answer)


async def pass_time(url: str, seconds: float) -> None:
    """Everything that has happened, and all that is due, moves into the past."""
    moved = {
        "dispatch": ("due_at", "queued_at", "lease_until", "expires_at", "resend_at"),
        "message": ("created_at", "last_attempt_at", "expires_at"),
        "receipt": ("received_at", "next_try_at"),
    }
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for table, columns in moved.items():
            changes = ", ".join(f"{column} = {column} - make_interval(secs => %(s)s)" for column in columns)
            await connection.execute(f"UPDATE {table} SET {changes}".encode(), {"s": seconds})
