"""Changes of large tables beside running traffic, for migrations.

Each of them commits what the migration has done so far, so that a migration with one of them is run again from its
beginning when it is broken off in between: all its steps must bear that (`if_not_exists`, `if_exists`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op


@contextmanager
def beside_traffic() -> Iterator[None]:
    """Runs statements outside of a transaction, with no bound on their waiting.

    For statements that hold up neither reads nor writes while they wait or work: CONCURRENTLY and VALIDATE CONSTRAINT.
    They wait for older transactions, such as reports, longer than any `lock_timeout`.
    """
    with op.get_context().autocommit_block():
        (before,) = op.get_bind().exec_driver_sql("SHOW lock_timeout").one()
        op.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            op.execute(f"SET lock_timeout = '{before}'")


def build_index(name: str, table: str, columns: Sequence[Any], *, unique: bool = False, **options: Any) -> None:  # noqa: ANN401 - alembic's own
    """Builds an index CONCURRENTLY; what an interrupted build left behind is dropped first.

    `options`: as for `op.create_index`, such as `postgresql_where`.
    """
    with beside_traffic():
        op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, unique=unique, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drops an index CONCURRENTLY, if it is there."""
    with beside_traffic():
        op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)


def add_checks(table: str, rules: dict[str, str]) -> None:
    """Adds check constraints by name, or replaces those of the same name.

    New rows are checked at once, and those on record in a second step that lets reads and writes pass.
    """
    for name, rule in rules.items():
        op.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID"
        )
    with beside_traffic():
        for name in rules:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
