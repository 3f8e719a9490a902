"""Takes all rows out of a database that many tests use one after another."""

from __future__ import annotations

import psycopg


def emptied(url: str, statements: str) -> str:
    """The URL, once nobody else is connected there and the statements have run."""
    with psycopg.connect(url, autocommit=True) as connection:
        # A connection that a test before left in a transaction would block, and must not change rows later.
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        connection.execute(statements.encode())
    return url
