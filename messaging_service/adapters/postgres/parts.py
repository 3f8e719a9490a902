"""The parts of messages that carriers took, each with the carrier's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from messaging_service.domain.submission import ReceiptState
from service_kit.database import Connection

_PARTS = """
    SELECT message_id, part, canonical_id, state FROM message_part p
    WHERE message_id = ANY(%s) AND attempt = (SELECT retry_count + 1 FROM message WHERE id = p.message_id)
    ORDER BY message_id, part
"""
_ADD = """
    INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id, state)
    SELECT * FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::text[], %s::text[], %s::text[], %s::text[])
"""
_FORGET = "DELETE FROM message_part WHERE message_id = %s AND attempt = %s"


@dataclass(slots=True)
class Part:
    """One part of the present attempt of a message."""

    number: int
    canonical_id: str
    state: ReceiptState


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part to record."""

    message_id: UUID
    attempt: int
    number: int
    carrier: str
    carrier_message_id: str
    canonical_id: str
    state: ReceiptState


async def parts_of(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, list[Part]]:
    """The parts on record of the present attempt of each message."""
    parts: dict[UUID, list[Part]] = {message_id: [] for message_id in ids}
    cursor = await connection.execute(_PARTS, (list(ids),))
    for message_id, number, canonical_id, state in await cursor.fetchall():
        parts[message_id].append(Part(number, canonical_id, ReceiptState(state)))
    return parts


async def add_parts(connection: Connection, parts: Sequence[NewPart]) -> None:
    """Records parts."""
    if parts:
        rows = [
            (p.message_id, p.attempt, p.number, p.carrier, p.carrier_message_id, p.canonical_id, p.state.value)
            for p in parts
        ]
        await connection.execute(_ADD, columns(rows))


async def forget_parts(connection: Connection, message_id: UUID, attempt: int) -> None:
    """Forgets the parts of an attempt, because all of them are told anew."""
    await connection.execute(_FORGET, (message_id, attempt))


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows turned into the columns that UNNEST takes."""
    return [list(column) for column in zip(*rows, strict=True)]
