"""Erases phones in PostgreSQL: every method is one or more small transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from typing_extensions import override

from messaging_service.privacy.erase_phone import Erased, PhoneEraser
from messaging_service.privacy.sealing.blind_index import BlindIndex
from messaging_service.privacy.sealing.key_ring import KeyRing, keys_not_set
from messaging_service.shared.domain import reasons
from messaging_service.shared.postgres.migrated import migrated
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.audit_log import record
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

RECEIPTS_AT_ONCE: Final = 20_000
"""Receipts that one statement looks at: they have no index by phone, which each of them would pay for."""

_CAUGHT_UP: Final = "SELECT EXISTS (SELECT 1 FROM privacy_task WHERE name = 'message' AND caught_up)"
_ENDED: Final = """
    SELECT m.id FROM message m WHERE m.recipient_index = %(index)s
        AND NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.message_id = m.id)
    ORDER BY m.id LIMIT %(limit)s
"""
# Receipts before messages: the order in which those who match them lock.
_THEIR_RECEIPTS: Final = """
    UPDATE receipt r SET recipient = NULL, raw = ''
    FROM unnest(%(ids)s::uuid[]) AS erased (id) JOIN message_part p ON p.message_id = erased.id
    WHERE r.carrier = p.carrier AND r.canonical_id = p.canonical_id AND r.message_id = erased.id
        AND (r.recipient IS NOT NULL OR r.raw <> '')
"""
# One that was queued again in the meantime is left.
_MESSAGES: Final = """
    WITH locked AS MATERIALIZED (
        SELECT m.id FROM message m WHERE m.id = ANY(%(ids)s) ORDER BY m.id FOR NO KEY UPDATE
    ), erased AS (
        UPDATE message m SET recipient = '', recipient_index = NULL, content = NULL, text = NULL, custom_data = NULL
        FROM locked WHERE m.id = locked.id AND NOT EXISTS (SELECT 1 FROM dispatch d WHERE d.message_id = m.id)
        RETURNING m.id
    ), words AS (
        UPDATE message_event e SET raw = NULL FROM erased WHERE e.message_id = erased.id AND e.raw IS NOT NULL
    )
    SELECT count(*) FROM erased
"""
_BOUNDS: Final = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM receipt"
_RECEIPTS: Final = """
    UPDATE receipt SET recipient = NULL, raw = ''
    WHERE id > %(after)s AND id <= %(through)s AND recipient = %(phone)s AND next_try_at IS NULL
"""
_INBOUND: Final = "DELETE FROM inbound_message WHERE phone = %(phone)s AND next_try_at IS NULL"
_COUNTS: Final = """
    WITH hours AS (DELETE FROM recipient_hour WHERE recipient = %(phone)s RETURNING 1),
        windows AS (DELETE FROM recipient_window WHERE recipient = %(phone)s RETURNING 1),
        held AS MATERIALIZED (
            SELECT account_id, block FROM number_block
            WHERE block = left(%(phone)s, -3)
                AND right(%(phone)s, 3)::int IN (SELECT each %% 1000 FROM unnest(seen || codes) AS each)
            ORDER BY account_id FOR NO KEY UPDATE
        ), blocks AS (
            UPDATE number_block b SET
                seen = ARRAY(SELECT each FROM unnest(b.seen) AS each WHERE each %% 1000 <> right(%(phone)s, 3)::int),
                codes = ARRAY(SELECT each FROM unnest(b.codes) AS each WHERE each %% 1000 <> right(%(phone)s, 3)::int)
            FROM held WHERE b.account_id = held.account_id AND b.block = held.block
            RETURNING 1
        )
    SELECT 1 FROM hours UNION ALL SELECT 1 FROM windows UNION ALL SELECT 1 FROM blocks
"""
# A pass over the queue that an opt-out still needs is by the phone itself.
_HIDE: Final = """
    UPDATE suppression s SET phone = %(hidden)s
    WHERE s.phone = %(phone)s AND s.pass_due_at IS NULL AND (s.ended_at IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM suppression o
        WHERE o.phone = %(hidden)s AND o.ended_at IS NULL AND o.source = s.source
            AND o.sender_key IS NOT DISTINCT FROM s.sender_key AND o.account_id IS NOT DISTINCT FROM s.account_id
    ))
"""
# The same opt-out of an earlier erasure holds already.
_DOUBLES: Final = "DELETE FROM suppression WHERE phone = %(phone)s AND pass_due_at IS NULL"
# Young messages may still be in plain, while a process of before ends: they get their index in some minutes.
_LEFT: Final = """
    SELECT
        (SELECT count(*) FROM message m WHERE m.recipient_index = %(index)s) + (
            SELECT count(*) FROM message m
            WHERE m.created_at > now() - interval '30 minutes' AND m.recipient_index IS NULL
                AND m.recipient = %(phone)s
        ),
        (SELECT count(*) FROM receipt WHERE recipient = %(phone)s AND next_try_at IS NOT NULL)
            + (SELECT count(*) FROM inbound_message WHERE phone = %(phone)s)
            + (SELECT count(*) FROM suppression WHERE phone = %(phone)s)
"""


class PostgresEraser(PhoneEraser):
    """Implements PhoneEraser."""

    def __init__(self, pool: Pool, ring: KeyRing | None) -> None:
        """`pool`: not the one that sends messages. `ring`: None where texts are stored as they are."""
        self._pool = pool
        self._ring = ring

    async def _index(self) -> BlindIndex:
        if self._ring is None:
            raise keys_not_set()
        return await self._ring.index()

    @override
    async def messages(self, phone: str, limit: int) -> tuple[int, int]:
        index = (await self._index()).of_phone(phone)
        async with migrated(single_statement(self._pool)) as connection:
            caught_up = await (await connection.execute(_CAUGHT_UP)).fetchone()
            if caught_up != (True,):
                raise ServiceError(
                    Kind.FAILED_PRECONDITION,
                    reasons.CONVERSION_UNFINISHED,
                    "messages of before are still being put under keys, so not all of them would be found; try again "
                    "when tukupay_privacy_conversion_caught_up is 1",
                )
            cursor = await connection.execute(_ENDED, {"index": index, "limit": limit})
            ids = [row[0] for row in await cursor.fetchall()]
        return await self._erase(ids) if ids else (0, 0)

    async def _erase(self, ids: Sequence[UUID]) -> tuple[int, int]:
        async with migrated(single_statement(self._pool)) as connection:
            receipts = (await connection.execute(_THEIR_RECEIPTS, {"ids": ids})).rowcount
        async with migrated(single_statement(self._pool)) as connection:
            row = await (await connection.execute(_MESSAGES, {"ids": ids})).fetchone()
        return (0 if row is None else row[0]), receipts

    @override
    async def receipts(self, phone: str) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            first, last = await (await connection.execute(_BOUNDS)).fetchone() or (0, 0)
        erased, after = 0, first - 1
        while after < last:
            through = after + RECEIPTS_AT_ONCE
            async with migrated(single_statement(self._pool)) as connection:
                parameters = {"after": after, "through": through, "phone": phone}
                erased += (await connection.execute(_RECEIPTS, parameters)).rowcount
            after = through
        return erased

    @override
    async def finish(self, phone: str, messages: int, receipts: int, actor: Actor) -> Erased:
        index = await self._index()
        named = {"phone": phone, "hidden": index.hidden(phone), "index": index.of_phone(phone)}
        async with migrated(transaction(self._pool)) as connection:
            inbound = await _changed(connection, _INBOUND, named)
            counts = await _changed(connection, _COUNTS, named)
            hidden = await _changed(connection, _HIDE, named)
            await _changed(connection, _DOUBLES, named)
            open_messages, waiting = await (await connection.execute(_LEFT, named)).fetchone() or (0, 0)
            erased = Erased(messages, receipts, inbound, counts, hidden, open_messages, waiting)
            what = {"messages": messages, "receipts": receipts, "open": open_messages, "waiting": waiting}
            await record(connection, actor, AuditRecord("phone.erased", index.hidden(phone), after=what))
        return erased


async def _changed(connection: Connection, statement: str, parameters: Mapping[str, object]) -> int:
    return (await connection.execute(statement.encode(), parameters)).rowcount
