"""Rows that were stored in plain: messages, and the fingerprints of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from typing_extensions import override

from messaging_service.privacy.domain.key_scope import of_month
from messaging_service.privacy.postgres.table_walk import Row, TableWalk
from messaging_service.privacy.sealing.blind_index import is_plain_fingerprint
from messaging_service.privacy.sealing.key_ring import KeyRing, keys_unavailable
from messaging_service.privacy.sealing.message_contents import Content
from messaging_service.privacy.sealing.places import content_place
from service_kit.postgres.database import Connection, Pool

SETTLED_S: Final = 600.0
"""Younger messages are left for later: one with a smaller id may still be committed."""

# Rows are looked at in the order of their ids, which is that of their creation.
_MESSAGES: Final = """
    SELECT id, account_id, created_at, text, custom_data::text, recipient FROM message
    WHERE id > %(after)s AND created_at < now() - make_interval(secs => %(settled_s)s)
    ORDER BY id LIMIT %(limit)s
"""
_SEAL_MESSAGES: Final = """
    UPDATE message m SET content = new.content, recipient_index = new.recipient_index, text = NULL, custom_data = NULL
    FROM unnest(%(ids)s::uuid[], %(contents)s::bytea[], %(indexes)s::bytea[]) AS new (id, content, recipient_index)
    WHERE m.id = new.id AND m.text IS NOT NULL
"""
_FIRST: Final = UUID(int=0)

_KEYS: Final = """
    SELECT account_id, key, fingerprint FROM idempotency
    WHERE (account_id, key) > (%(account)s, %(key)s) ORDER BY account_id, key LIMIT %(limit)s
"""
_HIDE_KEYS: Final = """
    UPDATE idempotency i SET fingerprint = new.fingerprint
    FROM unnest(%(accounts)s::text[], %(keys)s::text[], %(fingerprints)s::bytea[]) AS new (account_id, key, fingerprint)
    WHERE i.account_id = new.account_id AND i.key = new.key
"""


class MessageConversion(TableWalk):
    """Seals texts and custom data, each under the key of the month in which the message was created."""

    def __init__(self, pool: Pool, ring: KeyRing, *, settled_s: float = SETTLED_S) -> None:
        super().__init__(pool, "message")
        self._ring = ring
        self._settled_s = settled_s

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        start = _FIRST if after is None else UUID(after[0])
        parameters = {"after": start, "limit": limit, "settled_s": self._settled_s}
        return await (await connection.execute(_MESSAGES, parameters)).fetchall()

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[0],)

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        plain = [row for row in rows if row[3] is not None]
        if not plain:
            return 0
        index = await self._ring.index()
        scopes = {row[0]: of_month(row[1], row[2]) for row in plain}
        keys = await self._ring.sealing(scopes.values())
        if not keys.keys() >= set(scopes.values()):
            raise keys_unavailable()
        contents = [
            keys[scopes[id_]].seal(msgspec.json.encode(Content(text, custom_data, recipient)), content_place(id_))
            for id_, _, _, text, custom_data, recipient in plain
        ]
        parameters = {
            "ids": [row[0] for row in plain],
            "contents": contents,
            "indexes": [index.of_phone(row[5]) for row in plain],
        }
        return (await connection.execute(_SEAL_MESSAGES, parameters)).rowcount


class FingerprintConversion(TableWalk):
    """Puts fingerprints of requests under a key, so that nobody can try texts against them."""

    def __init__(self, pool: Pool, ring: KeyRing) -> None:
        super().__init__(pool, "idempotency")
        self._ring = ring

    @override
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        account, key = after or ("", "")
        parameters = {"account": account, "key": key, "limit": limit}
        return await (await connection.execute(_KEYS, parameters)).fetchall()

    @override
    def _position(self, row: Row) -> tuple[object, ...]:
        return (row[0], row[1])

    @override
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        plain = [row for row in rows if is_plain_fingerprint(row[2])]
        if not plain:
            return 0
        index = await self._ring.index()
        parameters = {
            "accounts": [row[0] for row in plain],
            "keys": [row[1] for row in plain],
            "fingerprints": [index.fingerprint(bytes(row[2])) for row in plain],
        }
        return (await connection.execute(_HIDE_KEYS, parameters)).rowcount
