"""The durable inbox of delivery receipts, and how receipts find their messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from messaging_service.adapters.postgres.moving import Money, Move, Target, hold_messages, moving, targets_in
from messaging_service.adapters.postgres.parts import NewPart, Part, look_up_parts, parts_in, record_parts
from messaging_service.domain.charging import ChargePolicy
from messaging_service.domain.settling import FAILED_RECEIPTS, part_after, state_after
from messaging_service.domain.states import State
from messaging_service.domain.submission import DeliveryReceipt, ReceiptState, canonical_carrier_id
from messaging_service.use_cases.receipt_inbox import Worked
from service_kit.database import Connection, Transaction
from service_kit.trips import Statement, Step

_STORE = Statement("""
    INSERT INTO receipt (carrier, carrier_message_id, canonical_id, state, recipient, sender_id, network_error,
        done_at, raw, network, all_parts)
    SELECT * FROM json_to_recordset(%(receipts)s::json) AS receipts (
        carrier text, carrier_message_id text, canonical_id text, state text, recipient text, sender_id text,
        network_error text, done_at timestamptz, raw text, network text, all_parts boolean
    )
""")

# By the carrier's id. A carrier may use an id again after months, so the newest part with it is meant.
_WAITING = Statement("""
    WITH due AS (
        SELECT id, carrier, canonical_id, carrier_message_id, state, recipient, sender_id, network_error, tries,
            all_parts
        FROM receipt WHERE next_try_at <= now()
        ORDER BY next_try_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    SELECT due.id, due.carrier, due.carrier_message_id, due.state, due.recipient, due.sender_id,
        due.network_error, due.tries, due.all_parts, p.message_id, p.attempt
    FROM due LEFT JOIN LATERAL (
        SELECT message_id, attempt FROM message_part p
        WHERE p.carrier = due.carrier AND p.canonical_id = due.canonical_id
        ORDER BY message_id DESC, attempt DESC LIMIT 1
    ) p ON true
    ORDER BY due.id
""")

# A message whose process died after the submit has no carrier id on record. An unmatched receipt for the
# same phone and sender is its own when just one such message is open.
_UNKNOWN_FOR = """
    SELECT m.id FROM dispatch d JOIN message m ON m.id = d.message_id
    WHERE d.state = 'unknown' AND d.recipient = %(recipient)s
        AND (%(sender_id)s::text IS NULL OR ltrim(m.sender_id, '+') = ltrim(%(sender_id)s, '+'))
        AND m.last_attempt_at <= (SELECT received_at FROM receipt WHERE id = %(receipt)s)
    ORDER BY m.id LIMIT 2
"""

_LOCK_QUEUE = Statement("SELECT 1 FROM dispatch WHERE message_id = ANY(%(ids)s::uuid[]) ORDER BY message_id FOR UPDATE")
_MOVE_PARTS = Statement("""
    UPDATE message_part p SET state = moved.state
    FROM unnest(%(states)s::text[], %(ids)s::uuid[], %(attempts)s::smallint[], %(parts)s::smallint[])
        AS moved (state, message_id, attempt, part)
    WHERE p.message_id = moved.message_id AND p.attempt = moved.attempt AND p.part = moved.part
""")
_MATCHED = Statement("""
    UPDATE receipt r SET message_id = matched.message_id, next_try_at = NULL
    FROM unnest(%(receipts)s::bigint[], %(ids)s::uuid[]) AS matched (id, message_id) WHERE r.id = matched.id
""")
# Waits 1, 2, 4 … s, at most an hour; given up for good, and kept as an orphan, after about three days.
_POSTPONE = Statement("""
    UPDATE receipt SET tries = tries + 1, next_try_at = CASE WHEN tries < 80
        THEN now() + make_interval(secs => least(3600, power(2, least(tries, 12)))) END
    WHERE id = ANY(%(receipts)s::bigint[])
""")
UNKNOWN_AFTER_TRIES = 2
"""A receipt may overtake the record of its own submit, so it waits a little before it is matched to a
message of unknown outcome."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A receipt of the inbox, with the part that has its id, if any."""

    id: int
    carrier: str
    carrier_message_id: str
    state: str
    recipient: str | None
    sender_id: str | None
    network_error: str | None
    tries: int
    all_parts: bool
    message_id: UUID | None
    attempt: int | None

    @property
    def canonical_id(self) -> str:
        return canonical_carrier_id(self.carrier_message_id)


@dataclass(slots=True)
class _Changes:
    """What a pass will write."""

    matched: list[tuple[int, UUID]] = field(default_factory=list)
    parts_added: list[NewPart] = field(default_factory=list)
    parts_moved: list[tuple[str, UUID, int, int]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    def steps(self) -> list[Step]:
        """All but the moves, as steps of a trip."""
        steps = [record_parts(self.parts_added)] if self.parts_added else []
        if self.parts_moved:
            states, ids, attempts, parts = zip(*self.parts_moved, strict=True)
            steps.append(_MOVE_PARTS(states=states, ids=ids, attempts=attempts, parts=parts))
        receipts, ids = zip(*self.matched, strict=True)
        steps.append(_MATCHED(receipts=receipts, ids=ids))
        return steps


async def store(connection: Connection, receipts: Sequence[DeliveryReceipt]) -> None:
    """See ReceiptInbox.store."""
    rows = [
        {
            "carrier": receipt.carrier,
            "carrier_message_id": receipt.carrier_message_id,
            "canonical_id": canonical_carrier_id(receipt.carrier_message_id),
            "state": receipt.state.value,
            "recipient": receipt.recipient,
            "sender_id": receipt.sender_id,
            "network_error": receipt.network_error,
            "done_at": receipt.done_at,
            "raw": receipt.raw,
            "network": receipt.network,
            "all_parts": receipt.speaks_for_all_parts,
        }
        for receipt in receipts
    ]
    await connection.trip(_STORE(receipts=msgspec.json.encode(rows)))


async def postpone_next(transaction: Transaction) -> None:
    """See ReceiptInbox.postpone_next."""
    (rows,) = await transaction.run(_WAITING(limit=1))
    await transaction.run_last(_POSTPONE(receipts=[row[0] for row in rows]))


async def work(transaction: Transaction, limit: int, owner: str, policy: ChargePolicy) -> Worked:
    """See ReceiptInbox.work."""
    (rows,) = await transaction.run(_WAITING(limit=limit))
    waiting = [_Waiting(*row) for row in rows]
    matched: dict[UUID, list[_Waiting]] = {}
    unmatched: list[int] = []
    for receipt in waiting:
        message_id = receipt.message_id or await _unknown_message(transaction.connection, receipt)
        if message_id is None:
            unmatched.append(receipt.id)
        else:
            matched.setdefault(message_id, []).append(receipt)
    steps = [_POSTPONE(receipts=unmatched)] if unmatched else []
    money: Money = {}
    if matched:
        changes = await _changes(transaction, matched)
        moves, money = moving(changes.moves, owner, policy)
        steps += [*changes.steps(), *moves]
    if steps:
        await transaction.run_last(*steps)
    return Worked(looked_at=len(waiting), matched=len(waiting) - len(unmatched), money=money)


async def _unknown_message(connection: Connection, receipt: _Waiting) -> UUID | None:
    if receipt.recipient is None or receipt.tries < UNKNOWN_AFTER_TRIES:
        return None
    cursor = await connection.execute(
        _UNKNOWN_FOR,
        {"recipient": receipt.recipient, "sender_id": receipt.sender_id, "receipt": receipt.id},
    )
    candidates = await cursor.fetchall()
    return candidates[0][0] if len(candidates) == 1 else None


async def _changes(transaction: Transaction, matched: dict[UUID, list[_Waiting]]) -> _Changes:
    """Locks the messages and works out what their receipts do to them."""
    ids = sorted(matched)
    # One after another, though in one trip: each sees what was committed until the locks before it were had.
    _, held, found = await transaction.run(_LOCK_QUEUE(ids=ids), hold_messages(ids), look_up_parts(ids))
    parts = parts_in(found, ids)
    changes = _Changes()
    for target in targets_in(held):
        receipts = matched[target.id]
        for receipt in receipts:
            changes.matched.append((receipt.id, target.id))
            _apply(target, parts[target.id], receipt, changes)
        states = [part.state for part in parts[target.id]]
        state = state_after(target.state, states, target.units)
        if state is not target.state:
            changes.moves.append(_move(target, state, states, receipts))
    return changes


def _move(target: Target, state: State, parts: Sequence[ReceiptState], receipts: Sequence[_Waiting]) -> Move:
    failed = next((part for part in parts if part in FAILED_RECEIPTS), None)
    errors = (receipt.network_error for receipt in receipts if ReceiptState(receipt.state) in FAILED_RECEIPTS)
    return Move(
        target,
        state,
        code=None if failed is None else FAILED_RECEIPTS[failed],
        carrier=receipts[-1].carrier,
        carrier_error_code=None if failed is None else next((error for error in errors if error), None),
        raw=f"receipt {receipts[-1].id}",
    )


def _apply(target: Target, parts: list[Part], receipt: _Waiting, changes: _Changes) -> None:
    if receipt.attempt is not None and receipt.attempt != target.attempt:
        return  # speaks of an attempt before the latest resend; kept, but decides nothing any more
    reported = ReceiptState(receipt.state)
    # A carrier that names a message as a whole has one id for all of its parts.
    reported_on = [part for part in parts if part.canonical_id == receipt.canonical_id]
    for part in reported_on:
        state = part_after(part.state, reported)
        if state is not part.state:
            part.state = state
            changes.parts_moved.append((state.value, target.id, target.attempt, part.number))
    if reported_on:
        return
    while target.state is State.UNKNOWN and len(parts) < target.units:
        # The submit was never recorded; the receipt is the first that we hear of this part's id.
        state = part_after(ReceiptState.ACCEPTED, reported)
        part = Part(len(parts) + 1, receipt.canonical_id, state)
        parts.append(part)
        changes.parts_added.append(
            NewPart(
                target.id,
                target.attempt,
                part.number,
                receipt.carrier,
                receipt.carrier_message_id,
                part.canonical_id,
                state,
            )
        )
        if not receipt.all_parts:
            return
