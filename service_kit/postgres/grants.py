"""Gives the role of a running service what it needs, and no right to change what is evidence.

Migrations are run by the owner of the tables, which may do everything; the service runs as another role.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, LiteralString

import psycopg
from psycopg import sql

AppendOnly = Mapping[str, Collection[str]]
"""Tables that rows are only added to, each with the columns that may be changed all the same."""

_CONNECT_S: Final = 10
_ALL: Final[tuple[LiteralString, ...]] = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "REVOKE CREATE ON SCHEMA {schema} FROM {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
)
# The migrations alone say which tables there are.
_VERSION: Final = "alembic_version"
# Rows are reached by way of their table, whose rights then hold; those of a partition would lead past them.
_PARTITIONS: Final = """
    SELECT relname::text FROM pg_class
    WHERE relispartition AND relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""
_MAY_ALL: Final = """
    SELECT r.rolsuper OR EXISTS (
        SELECT FROM pg_tables t WHERE t.schemaname = current_schema() AND pg_has_role(r.oid, t.tableowner, 'MEMBER')
    )
    FROM pg_roles r WHERE r.rolname = %s
"""


class RoleUnfitError(Exception):
    """A role cannot be the one of a service; the text says why and what to do."""


def grant(url: str, role: str, append_only: AppendOnly, functions: Sequence[LiteralString] = ()) -> None:
    """Grants a role what a service needs in the schema of a URL, whose own role owns the tables; again is harmless.

    Of append-only tables it may read and add rows, and change the named columns. Of partitions it has no rights: their
    table has them. `functions`: those that it may call, with the types of their arguments. Raises RoleUnfitError for a
    role that there is not, or that may do everything anyhow.
    """
    with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection, connection.transaction():
        found = connection.execute(_MAY_ALL, (role,)).fetchone()
        if found is None:
            raise RoleUnfitError(f"there is no role {role}; create it first: CREATE ROLE … LOGIN")
        if found[0]:
            raise RoleUnfitError(
                f"the role {role} is a superuser or owns the tables, so that nothing can be kept from it; name another"
            )
        (schema,) = connection.execute("SELECT current_schema()::text").fetchone() or ("public",)
        names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
        for statement in _ALL:
            connection.execute(sql.SQL(statement).format(**names))
        for table, columns in append_only.items():
            _restrict(connection, sql.Identifier(schema, table), sql.Identifier(role), "SELECT, INSERT")
            if columns:
                listed = sql.SQL(", ").join(map(sql.Identifier, sorted(columns)))
                change = sql.SQL("GRANT UPDATE ({}) ON {} TO {}")
                connection.execute(change.format(listed, sql.Identifier(schema, table), names["role"]))
        _restrict(connection, sql.Identifier(schema, _VERSION), names["role"], "SELECT")
        for (partition,) in connection.execute(_PARTITIONS).fetchall():
            revoke = sql.SQL("REVOKE ALL ON {} FROM {}")
            connection.execute(revoke.format(sql.Identifier(schema, partition), names["role"]))
        for function in functions:
            connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION " + function + " TO {}").format(names["role"]))


def _restrict(
    connection: psycopg.Connection, table: sql.Identifier, role: sql.Identifier, rights: LiteralString
) -> None:
    """Leaves a role some rights in a table and no others, also none of single columns."""
    connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(table, role))
    connection.execute(sql.SQL("GRANT " + rights + " ON {} TO {}").format(table, role))
