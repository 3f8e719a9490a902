"""Columns of text that were stored in plain: what carriers said, secrets of endpoints, bodies of deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from typing_extensions import override

from messaging_service.privacy.domain.key_scope import ENDPOINTS, KeyScope, of_month
from messaging_service.privacy.postgres.table_walk import Row, TableWalk
from messaging_service.privacy.sealing.key_ring import KeyRing, keys_unavailable
from messaging_service.privacy.sealing.places import body_place, event_place, receipt_place, secret_place
from service_kit.encryption.envelope import MARK, to_text
from service_kit.postgres.database import Connection, Pool

_FIRST: Final = str(UUID(int=0))


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a row."""

    key: tuple[Any, ...]
    """Of the row, as the statement that changes it takes them."""
    scope: KeyScope
    place: bytes
    words: str


class WordConversion(TableWalk):
    """Seals one column of text, whose rows are read in the order of their keys."""

    def __init__(self, pool: Pool, ring: KeyRing, name: str) -> None:
        super().__init__(pool, name)
        self._ring = ring

    async def _seal(self, connection: Connection, plain: Sequence[Words], statement: str) -> int:
        """Runs a statement for all words that are still in plain; it takes keys column by column, and `words`."""
        if not plain:
            return 0
        keys = await self._ring.sealing({each.scope for each in plain})
        if not keys.keys() >= {each.scope for each in plain}:
            raise keys_unavailable()
        parameters: dict[str, list[Any]] = {
            f"key_{place}": list(column) for place, column in enumerate(zip(*(each.key for each in plain), strict=True))
        }
        parameters["words"] = [to_text(keys[each.scope].seal(each.words.encode(), each.place)) for each in plain]
        parameters["old"] = [each.words for each in plain]
        return (await connection.execute(statement.encode(), parameters)).rowcount


_EVENTS: Final = """
    SELECT e.message_id, e.id, e.at, e.raw, m.account_id FROM message_event e JOIN message m ON m.id = e.message_id
    WHERE (e.message_id, e.id) > (%(after)s, %(after_id)s) ORDER BY e.message_id, e.id LIMIT %(limit)s
"""
_SEAL_EVENTS: Final = """
    UPDATE message_event e SET raw = new.words
    FROM unnest(%(key_0)s::uuid[], %(key_1)s::bigint[], %(old)s::text[], %(words)s::text[])
        AS new (message_id, id, old, words)
    WHERE e.message_id = new.message_id AND e.id = new.id AND e.raw = new.old
"""


class EventConversion(WordConversion):
    """What carriers said of messages."""

    def __init__(self, pool: Pool, ring: KeyRing) -> None:
        super().__init__(pool, ring, "message_event")

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        message_id, event_id = after or (_FIRST, "0")
        parameters = {"after": message_id, "after_id": int(event_id), "limit": limit}
        return await (await connection.execute(_EVENTS, parameters)).fetchall()

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[0], row[1])

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        plain = [
            Words((message_id, event_id), of_month(account_id, at), event_place(message_id), raw)
            for message_id, event_id, at, raw, account_id in rows
            if _is_plain(raw)
        ]
        return await self._seal(connection, plain, _SEAL_EVENTS)


_RECEIPTS: Final = """
    SELECT id, carrier, carrier_message_id, received_at, raw FROM receipt
    WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
"""
_SEAL_RECEIPTS: Final = """
    UPDATE receipt r SET raw = new.words
    FROM unnest(%(key_0)s::bigint[], %(old)s::text[], %(words)s::text[]) AS new (id, old, words)
    WHERE r.id = new.id AND r.raw = new.old
"""


class ReceiptConversion(WordConversion):
    """What carriers said in receipts."""

    def __init__(self, pool: Pool, ring: KeyRing) -> None:
        super().__init__(pool, ring, "receipt")

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        parameters = {"after": int(after[0]) if after else 0, "limit": limit}
        return await (await connection.execute(_RECEIPTS, parameters)).fetchall()

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[0],)

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        plain = [
            Words((number,), of_month("", received_at), receipt_place(carrier, id_), raw)
            for number, carrier, id_, received_at, raw in rows
            if _is_plain(raw)
        ]
        return await self._seal(connection, plain, _SEAL_RECEIPTS)


_ENDPOINTS: Final = """
    SELECT id, secret, previous_secret FROM webhook_endpoint WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
"""
_SEAL_SECRETS: Final = """
    UPDATE webhook_endpoint e SET secret = new.words
    FROM unnest(%(key_0)s::uuid[], %(old)s::text[], %(words)s::text[]) AS new (id, old, words)
    WHERE e.id = new.id AND e.secret = new.old
"""
_SEAL_PREVIOUS: Final = """
    UPDATE webhook_endpoint e SET previous_secret = new.words
    FROM unnest(%(key_0)s::uuid[], %(old)s::text[], %(words)s::text[]) AS new (id, old, words)
    WHERE e.id = new.id AND e.previous_secret = new.old
"""


class SecretConversion(WordConversion):
    """The secrets of webhooks, and the targets of channels."""

    def __init__(self, pool: Pool, ring: KeyRing) -> None:
        super().__init__(pool, ring, "webhook_endpoint")

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        parameters = {"after": after[0] if after else _FIRST, "limit": limit}
        return await (await connection.execute(_ENDPOINTS, parameters)).fetchall()

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[0],)

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        present, previous = (
            [Words((row[0],), ENDPOINTS, secret_place(row[0]), row[column]) for row in rows if _is_plain(row[column])]
            for column in (1, 2)
        )
        sealed = await self._seal(connection, present, _SEAL_SECRETS)
        return sealed + await self._seal(connection, previous, _SEAL_PREVIOUS)


_BODIES: Final = """
    SELECT d.id, d.created_at, d.body, e.account_id FROM webhook_delivery d
    JOIN webhook_endpoint e ON e.id = d.endpoint_id
    WHERE (d.created_at, d.id) > (%(after)s, %(after_id)s) ORDER BY d.created_at, d.id LIMIT %(limit)s
"""
_SEAL_BODIES: Final = """
    UPDATE webhook_delivery d SET body = new.words
    FROM unnest(%(key_0)s::uuid[], %(old)s::text[], %(words)s::text[]) AS new (id, old, words)
    WHERE d.id = new.id AND d.body = new.old
"""


class BodyConversion(WordConversion):
    """The bodies of deliveries."""

    def __init__(self, pool: Pool, ring: KeyRing) -> None:
        super().__init__(pool, ring, "webhook_delivery")

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        time, id_ = after or (datetime.min.replace(tzinfo=UTC).isoformat(), _FIRST)
        parameters = {"after": time, "after_id": id_, "limit": limit}
        return await (await connection.execute(_BODIES, parameters)).fetchall()

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[1].isoformat(), row[0])

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        plain = [
            Words((id_,), of_month(account_id, created_at), body_place(id_), body)
            for id_, created_at, body, account_id in rows
            if _is_plain(body)
        ]
        return await self._seal(connection, plain, _SEAL_BODIES)


def _is_plain(words: str | None) -> bool:
    return bool(words) and not str(words).startswith(MARK)
