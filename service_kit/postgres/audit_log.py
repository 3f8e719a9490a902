"""The audit log in PostgreSQL: entries are written in the transaction of the change that they are about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from typing_extensions import override

from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditEntry, AuditFilter, AuditRecord, Facts
from service_kit.audit.audit_store import AuditStore
from service_kit.postgres.database import Connection, Pool, single_statement, transaction
from service_kit.postgres.database_errors import migrated_tables

_MOST_CHARACTERS: Final = 256
"""Of a principal: subjects of tokens may be as long as their tokens."""
_NO_CHARACTER: Final = "\N{REPLACEMENT CHARACTER}"
_RECORD: Final = """
    INSERT INTO audit_entry (action, subject, account, principal, principal_kind, origin, request_id, before, after)
    VALUES (%(action)s, %(subject)s, %(account)s, %(principal)s, %(kind)s, %(origin)s, %(request_id)s,
        %(before)s::jsonb, %(after)s::jsonb)
"""
_COLUMNS: Final = "id, at, action, subject, account, principal, principal_kind, origin, request_id, before, after"
_CONDITIONS: Final = {
    "action": "action = %(action)s",
    "principal": "principal = %(principal)s",
    "account": "account = %(account)s",
    "subject": "subject = %(subject)s",
    "start": "at >= %(start)s",
    "end": "at < %(end)s",
}


async def record(connection: Connection, actor: Actor, what: AuditRecord) -> None:
    """Adds an entry; the connection is inside the transaction of the change, which commits both or neither."""
    parameters = {
        "action": what.action,
        "subject": what.subject,
        "account": what.account,
        "principal": actor.principal[:_MOST_CHARACTERS].replace("\0", _NO_CHARACTER),
        "kind": actor.kind,
        "origin": actor.origin,
        "request_id": actor.request_id,
        "before": _json(what.before),
        "after": _json(what.after),
    }
    await connection.execute(_RECORD, parameters)


async def list_entries(
    connection: Connection, wanted: AuditFilter, limit: int, before: int | None
) -> Sequence[AuditEntry]:
    """Up to `limit` entries, newest first, those with ids below `before`; None for the first page."""
    # Only the conditions asked for are in the statement, so each combination has its plan.
    conditions: list[str] = []
    parameters: dict[str, str | int | datetime] = {"limit": limit}
    for name, condition in _CONDITIONS.items():
        value: str | datetime | None = getattr(wanted, name)
        if value is None:
            continue
        is_noun = name == "action" and str(value).endswith(".")
        conditions.append("starts_with(action, %(action)s)" if is_noun else condition)
        parameters[name] = value
    if before is not None:
        conditions.append("id < %(before)s")
        parameters["before"] = before
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    statement = f"SELECT {_COLUMNS} FROM audit_entry {where}ORDER BY id DESC LIMIT %(limit)s"  # noqa: S608 - constants
    cursor = await connection.execute(statement.encode(), parameters)
    return [_entry(row) for row in await cursor.fetchall()]


class PostgresAuditLog(AuditStore):
    """Implements AuditStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def entries(self, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[AuditEntry]:
        with migrated_tables():
            async with single_statement(self._pool) as connection:
                return await list_entries(connection, wanted, limit, before)

    @override
    async def add(self, entries: Sequence[tuple[Actor, AuditRecord]]) -> None:
        with migrated_tables():
            async with transaction(self._pool) as connection:
                for actor, what in entries:
                    await record(connection, actor, what)


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    number, at, action, subject, account, principal, kind, origin, request_id, before, after = row
    return AuditEntry(
        number, at, Actor(principal, kind, origin, request_id), AuditRecord(action, subject, account, before, after)
    )


def _json(facts: Facts | None) -> str | None:
    # PostgreSQL has no NUL in its texts, and what a caller wrote must not keep an entry out.
    return None if facts is None else json.dumps(facts, sort_keys=True).replace("\\u0000", _NO_CHARACTER)
