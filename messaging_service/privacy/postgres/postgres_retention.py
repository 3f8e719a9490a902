"""How long texts are kept, and their end, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from typing_extensions import override

from messaging_service.privacy.postgres.table_walk import Row, TableWalk
from messaging_service.privacy.text_retention import RetentionStore, TextTerm
from messaging_service.shared.domain import reasons
from messaging_service.shared.postgres.migrated import migrated
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.audit_log import record
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

_LOCK: Final = "SELECT text_retention_days FROM account WHERE id = %(id)s FOR NO KEY UPDATE"
_SET: Final = "UPDATE account SET text_retention_days = %(days)s WHERE id = %(id)s"
_TERMS: Final = """
    SELECT id, coalesce(text_retention_days, %(default)s) FROM account
    WHERE coalesce(text_retention_days, %(default)s) > 0
"""
# A key outlives the messages of its month that are still to be sent.
_DESTROY: Final = """
    UPDATE data_key SET wrapped = NULL, destroyed_at = now() WHERE id = ANY(ARRAY(
        SELECT k.id FROM data_key k LEFT JOIN account a ON a.id = k.account_id
        WHERE k.wrapped IS NOT NULL AND coalesce(a.text_retention_days, %(default)s) > 0
            AND (k.month + interval '1 month') AT TIME ZONE 'UTC'
                <= now() - make_interval(days => coalesce(a.text_retention_days, %(default)s))
            AND NOT EXISTS (
                SELECT 1 FROM dispatch d JOIN message m ON m.id = d.message_id
                WHERE m.account_id = k.account_id
                    AND m.created_at < (k.month + interval '1 month') AT TIME ZONE 'UTC'
            )
        ORDER BY k.month, k.id LIMIT %(limit)s FOR UPDATE OF k SKIP LOCKED
    ))
"""
_NEXT: Final = """
    SELECT m.created_at, m.id, EXISTS (SELECT 1 FROM dispatch d WHERE d.message_id = m.id) FROM message m
    WHERE m.account_id = %(account)s AND (m.created_at, m.id) > (%(after)s, %(after_id)s)
        AND m.created_at < now() - make_interval(days => %(days)s)
    ORDER BY m.created_at, m.id LIMIT %(limit)s
"""
# Receipts before messages: the order in which those who match them lock.
_RECEIPTS: Final = """
    UPDATE receipt r SET raw = '' FROM unnest(%(ids)s::uuid[]) AS old (id) JOIN message_part p ON p.message_id = old.id
    WHERE r.carrier = p.carrier AND r.canonical_id = p.canonical_id AND r.message_id = old.id AND r.raw <> ''
"""
_WORDS: Final = "UPDATE message_event SET raw = NULL WHERE message_id = ANY(%(ids)s) AND raw IS NOT NULL"
_TEXTS: Final = """
    UPDATE message m SET text = NULL, content = NULL, custom_data = NULL
    FROM (
        SELECT id FROM message WHERE id = ANY(%(ids)s) AND (text IS NOT NULL OR content IS NOT NULL)
        ORDER BY id FOR NO KEY UPDATE
    ) old
    WHERE m.id = old.id
"""


class PostgresRetention(RetentionStore):
    """Implements RetentionStore."""

    def __init__(self, pool: Pool, default_days: int) -> None:
        """`pool`: not the one that sends messages. `default_days`: the term of all accounts; 0 for ever."""
        self._pool = pool
        self._default = default_days

    @override
    async def set_term(self, account_id: str, days: int | None, actor: Actor) -> TextTerm:
        async with migrated(transaction(self._pool)) as connection:
            row = await (await connection.execute(_LOCK, {"id": account_id})).fetchone()
            if row is None:
                raise ServiceError(
                    Kind.NOT_FOUND, reasons.ACCOUNT_NOT_FOUND, "there is no such account; check the user id"
                )
            await connection.execute(_SET, {"id": account_id, "days": days})
            before, after = {"text_retention_days": row[0]}, {"text_retention_days": days}
            what = AuditRecord("account.text_retention_set", account_id, account_id, before, after)
            await record(connection, actor, what)
        return TextTerm(self._default if days is None else days, own=days is not None)

    @override
    async def terms(self) -> Mapping[str, int]:
        async with migrated(single_statement(self._pool)) as connection:
            rows = await (await connection.execute(_TERMS, {"default": self._default})).fetchall()
        return dict(rows)

    @override
    async def erase_texts(self, account_id: str, days: int, limit: int) -> tuple[int, bool]:
        done = await _OldTexts(self._pool, account_id, days).step(limit)
        return done.rows, done.more

    @override
    async def destroy_keys(self, limit: int) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            return (await connection.execute(_DESTROY, {"default": self._default, "limit": limit})).rowcount


class _OldTexts(TableWalk):
    """Through the messages of an account, oldest first, as far as their texts are over."""

    def __init__(self, pool: Pool, account_id: str, days: int) -> None:
        super().__init__(pool, f"retention of {account_id}")
        self._account_id = account_id
        self._days = days

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        time, id_ = after or (datetime.min.replace(tzinfo=UTC).isoformat(), str(UUID(int=0)))
        parameters = {"account": self._account_id, "after": time, "after_id": id_, "days": self._days, "limit": limit}
        rows = await (await connection.execute(_NEXT, parameters)).fetchall()
        # The walk waits before a message that is open, and goes on when it has ended.
        return rows[: next((place for place, row in enumerate(rows) if row[2]), limit)]

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[0].isoformat(), row[1])

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        ids = {"ids": [row[1] for row in rows]}
        await connection.execute(_RECEIPTS, ids)
        erased = (await connection.execute(_TEXTS, ids)).rowcount
        await connection.execute(_WORDS, ids)
        return erased
