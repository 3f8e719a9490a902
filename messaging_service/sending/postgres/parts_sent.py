"""The parts of messages that carriers took, each with the carrier's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.shared.postgres.month_ranges import IDS, in_span, span
from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import Rows, Statement, Step

_PARTS = Statement(f"""
    SELECT message_id, part, canonical_id, state FROM message_part p
    WHERE message_id = {IDS} AND {in_span("message_id")} AND attempt = (
        SELECT retry_count + 1 FROM message WHERE id = p.message_id AND {in_span("id")}
    )
    ORDER BY message_id, part
""")
_ADD = Statement("""
    INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id, state)
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(attempts)s::smallint[], %(numbers)s::smallint[], %(carriers)s::text[],
        %(references)s::text[], %(canonical_ids)s::text[], %(states)s::text[]
    )
""")
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
    (rows,) = await connection.trip(look_up_parts(ids))
    return parts_in(rows, ids)


def look_up_parts(ids: Sequence[UUID]) -> Step:
    """`parts_of` as a step of a trip; `parts_in` reads its rows."""
    return _PARTS(ids=ids, span=span(ids))


def parts_in(rows: Rows, ids: Sequence[UUID]) -> dict[UUID, list[Part]]:
    """The parts of each message."""
    parts: dict[UUID, list[Part]] = {message_id: [] for message_id in ids}
    for message_id, number, canonical_id, state in rows:
        parts[message_id].append(Part(number, canonical_id, ReceiptState(state)))
    return parts


async def add_parts(connection: Connection, parts: Sequence[NewPart]) -> None:
    """Records parts."""
    if parts:
        await connection.trip(record_parts(parts))


def record_parts(parts: Sequence[NewPart]) -> Step:
    """`add_parts` as a step of a trip."""
    return _ADD(
        ids=[part.message_id for part in parts],
        attempts=[part.attempt for part in parts],
        numbers=[part.number for part in parts],
        carriers=[part.carrier for part in parts],
        references=[part.carrier_message_id for part in parts],
        canonical_ids=[part.canonical_id for part in parts],
        states=[part.state.value for part in parts],
    )


async def forget_parts(connection: Connection, message_id: UUID, attempt: int) -> None:
    """Forgets the parts of an attempt, because all of them are recorded anew."""
    await connection.execute(_FORGET, (message_id, attempt))
