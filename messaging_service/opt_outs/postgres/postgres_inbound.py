"""The durable inbox of what phones write, on a PostgreSQL pool: every method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import msgspec
from typing_extensions import override

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.domain.suppression import OF_THE_PHONE, Directive, Scope, Source, sender_key
from messaging_service.opt_outs.inbound_inbox import InboundInbox, WorkedInbound
from messaging_service.opt_outs.postgres import postgres_suppressions
from messaging_service.opt_outs.suppression_store import NewSuppression
from messaging_service.privacy.sealing.key_ring import keys_unavailable
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents, Sealer
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

_STORE = """
    INSERT INTO inbound_message (carrier, phone, sender_id, text, is_opt_out, received_at)
    SELECT * FROM json_to_recordset(%s::json) AS messages (
        carrier text, phone text, sender_id text, text text, is_opt_out bool, received_at timestamptz
    )
"""


class _Stored(NamedTuple):
    id: int


_INBOUND = RecordColumns(InboundMessage).plus(_Stored, id="id")

# One process at a time: START must not overtake the STOP before it.
_MY_TURN = "SELECT pg_try_advisory_xact_lock(hashtext('inbound_message'))"
_DUE = f"""
    SELECT {_INBOUND.sql} FROM inbound_message
    WHERE next_try_at <= now() ORDER BY id LIMIT %s FOR UPDATE
"""
_WORKED = """
    UPDATE inbound_message i SET directive = worked.directive, text = NULL, next_try_at = NULL
    FROM unnest(%s::bigint[], %s::text[]) AS worked (id, directive) WHERE i.id = worked.id
"""
# Waits 1, 2, 4 … s, at most an hour; given up after about three days.
_POSTPONE = """
    UPDATE inbound_message SET tries = tries + 1, next_try_at = CASE WHEN tries < 80
        THEN now() + make_interval(secs => least(3600, power(2, least(tries, 12)))) END
    WHERE id = ANY(%s)
"""
# Only what the phone itself said before; what a message asked for that came later stays.
_OPT_IN = """
    UPDATE suppression SET ended_at = now(), ended_source = 'stop_keyword', ended_by = %(by)s,
        ended_reason = %(reason)s, pass_due_at = NULL
    WHERE phone = ANY(%(phones)s) AND (sender_key = %(sender_key)s OR sender_key IS NULL) AND source = ANY(%(sources)s)
        AND ended_at IS NULL AND (inbound_id IS NULL OR inbound_id < %(inbound_id)s)
"""
_FORGET = """
    DELETE FROM inbound_message WHERE id = ANY(ARRAY(
        SELECT id FROM inbound_message
        WHERE stored_at < now() - make_interval(secs => %(retention_s)s) AND next_try_at IS NULL
        ORDER BY stored_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""


class PostgresInbound(InboundInbox):
    """Implements the port InboundInbox."""

    def __init__(
        self,
        pool: Pool,
        keywords: Keywords,
        new_id: Callable[[], UUID],
        retention_s: float,
        contents: Contents = PLAIN,
    ) -> None:
        """`retention_s`: how long a message is kept after it was stored, once it is worked and has lost its text.

        `contents` knows the forms in which phones stand in opt-outs.
        """
        self._contents = contents
        self._pool = pool
        self._keywords = keywords
        self._new_id = new_id
        self._retention_s = retention_s

    @override
    async def store(self, messages: Sequence[InboundMessage]) -> None:
        sealer = await self._contents.sealer([""])
        rows = [
            {
                "carrier": message.carrier,
                "phone": _storable(message.phone),
                "sender_id": _storable(message.sender_id),
                "text": _stored_text(message, sealer),
                "is_opt_out": message.is_opt_out,
                "received_at": message.received_at,
            }
            for message in messages
        ]
        async with migrated(single_statement(self._pool)) as connection:
            await connection.execute(_STORE, (msgspec.json.encode(rows).decode(),))

    @override
    async def work(self, limit: int) -> WorkedInbound:
        sealer = await self._contents.sealer([])
        async with migrated(transaction(self._pool)) as connection:
            if not await _my_turn(connection):
                return WorkedInbound(0, 0, 0)
            due = await self._opened(await _due(connection, limit))
            directives = [await self._apply(connection, number, message, sealer) for number, message in due]
            if due:
                await connection.execute(
                    _WORKED, ([number for number, _ in due], [directive.value for directive in directives])
                )
        return WorkedInbound(len(due), directives.count(Directive.OPT_OUT), directives.count(Directive.OPT_IN))

    async def _opened(self, due: Sequence[tuple[int, InboundMessage]]) -> list[tuple[int, InboundMessage]]:
        """The messages with their texts as the phones wrote them."""
        stored = [(_place(message), message.text) for _, message in due]
        texts = iter(await self._contents.words([(place, text) for place, text in stored if text is not None]))
        return [
            (number, message if message.text is None else replace(message, text=next(texts))) for number, message in due
        ]

    async def _apply(self, connection: Connection, number: int, message: InboundMessage, sealer: Sealer) -> Directive:
        directive = self._keywords.directive(message)
        # A carrier that does not say to whom the phone wrote leaves no choice but all senders.
        sender_id = message.sender_id or None
        if directive is Directive.OPT_OUT:
            source = Source.CARRIER if message.is_opt_out else Source.STOP_KEYWORD
            reason = "reported by the carrier" if message.is_opt_out else "the phone wrote a keyword"
            scope = Scope(message.phone, sender_id, None)
            new = NewSuppression(self._new_id(), scope, source, reason, message.carrier)
            await postgres_suppressions.add(connection, new, inbound_id=number, pass_lease_s=0)
        elif directive is Directive.OPT_IN:
            await connection.execute(
                _OPT_IN,
                {
                    "phones": sealer.phones(message.phone),
                    "sender_key": sender_key(message.sender_id),
                    "sources": [source.value for source in OF_THE_PHONE],
                    "inbound_id": number,
                    "by": message.carrier,
                    "reason": "the phone wrote a keyword",
                },
            )
        return directive

    @override
    async def postpone_next(self) -> None:
        async with migrated(transaction(self._pool)) as connection:
            if await _my_turn(connection):
                await connection.execute(_POSTPONE, ([number for number, _ in await _due(connection, 1)],))

    @override
    async def forget(self, limit: int) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_FORGET, {"limit": limit, "retention_s": self._retention_s})
            return cursor.rowcount


async def _my_turn(connection: Connection) -> bool:
    row = await (await connection.execute(_MY_TURN)).fetchone()
    return row is not None and bool(row[0])


async def _due(connection: Connection, limit: int) -> list[tuple[int, InboundMessage]]:
    cursor = await connection.execute(_DUE.encode(), (limit,))
    found = [_INBOUND.read(row) for row in await cursor.fetchall()]
    return [(stored.id, message) for message, stored in found]


def _stored_text(message: InboundMessage, sealer: Sealer) -> str | None:
    """The text as it is stored until it is worked. Raises KEYS_UNAVAILABLE, and the carrier brings it again."""
    if message.text is None:
        return None
    stored = sealer.words("", _place(message), _storable(message.text))
    if stored is None:
        raise keys_unavailable()
    return stored


def _place(message: InboundMessage) -> bytes:
    """Where the text of a message stands."""
    return f"inbound_message.text:{message.carrier}:{_storable(message.phone)}".encode()


def _storable(text: str) -> str:
    """A text as PostgreSQL can hold it: what a phone wrote must not be brought again for ever."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
