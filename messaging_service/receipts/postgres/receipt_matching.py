"""How receipts of the inbox find their messages, and what they do to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.receipts.postgres.receipt_rows import WaitingReceipt, postponed, waiting_receipts
from messaging_service.receipts.postgres.receipt_spans import ReceiptSpans
from messaging_service.receipts.receipt_inbox import Worked
from messaging_service.sending.domain.settling import (
    FAILED_RECEIPTS,
    SHARED_ID_DOUBT_S,
    is_in_doubt,
    part_after,
    state_after,
)
from messaging_service.sending.postgres.parts_sent import NewPart, Part, look_up_parts, parts_in, record_parts
from messaging_service.sending.postgres.transitions import Money, Move, Target, hold_messages, moving, targets_in
from messaging_service.shared.domain.states import State
from messaging_service.shared.postgres.month_ranges import IDS, in_span, span
from service_kit.access.principal import AccessMode
from service_kit.postgres.database import Connection, Transaction
from service_kit.postgres.pipeline import Statement, Step

# A message whose process died after the submit, or whose answer was lost, has no carrier id on record. An unmatched
# receipt of its carrier for the same phone and sender is its own when just one such message is open. Who submitted
# is not on record where the process died.
_UNKNOWN_FOR = """
    SELECT m.id FROM dispatch d JOIN message m ON m.id = d.message_id
    WHERE d.state = 'unknown' AND d.recipient = %(recipient)s
        AND (m.carrier IS NULL OR m.carrier = %(carrier)s)
        AND (%(sender_id)s::text IS NULL OR lower(ltrim(m.sender_id, '+')) = lower(ltrim(%(sender_id)s, '+')))
        AND m.mode = ANY(%(modes)s) AND m.last_attempt_at <= (SELECT received_at FROM receipt WHERE id = %(receipt)s)
    ORDER BY m.id LIMIT 2
"""

_LOCK_QUEUE = Statement("SELECT 1 FROM dispatch WHERE message_id = ANY(%(ids)s::uuid[]) ORDER BY message_id FOR UPDATE")
_MOVE_PARTS = Statement(f"""
    UPDATE message_part p SET state = moved.state
    FROM unnest(%(states)s::text[], %(ids)s::uuid[], %(attempts)s::smallint[], %(parts)s::smallint[])
        AS moved (state, message_id, attempt, part)
    WHERE p.message_id = moved.message_id AND p.attempt = moved.attempt AND p.part = moved.part
        AND p.message_id = {IDS} AND {in_span("p.message_id")}
""")
_MATCHED = Statement("""
    UPDATE receipt r SET message_id = matched.message_id, next_try_at = NULL
    FROM unnest(%(receipts)s::bigint[], %(ids)s::uuid[]) AS matched (id, message_id) WHERE r.id = matched.id
""")
_DELIVERED_OF_LATE = Statement("""
    SELECT r.carrier, r.canonical_id, count(*) FROM receipt r
    JOIN (SELECT DISTINCT * FROM unnest(%(carriers)s::text[], %(ids)s::text[]) AS asked (carrier, id)) asked
        ON asked.carrier = r.carrier AND asked.id = r.canonical_id
    WHERE r.state = 'delivered' AND r.received_at > now() - make_interval(secs => %(within_s)s)
    GROUP BY r.carrier, r.canonical_id
""")
_WAIT_FOR_MORE = Statement("""
    UPDATE receipt SET next_try_at = received_at + make_interval(secs => %(wait_s)s)
    WHERE id = ANY(%(receipts)s::bigint[])
""")
UNKNOWN_AFTER_TRIES = 2
"""A receipt may overtake the record of its own submit, so it waits a little before it is matched to a
message of unknown outcome, or by its id alone to a message to another phone."""


ModesOf = Callable[[str], Collection[AccessMode]]
"""The modes of the messages that a carrier, by its name, may have been given."""


def any_mode(_carrier: str) -> Collection[AccessMode]:
    """Every carrier may have been given messages of every mode."""
    return tuple(AccessMode)


@dataclass(slots=True)
class _Changes:
    """What a pass will write."""

    matched: list[tuple[int, UUID]] = field(default_factory=list)
    in_doubt: list[int] = field(default_factory=list)
    """Receipts that wait until it is clear that nothing worse comes."""
    parts_added: list[NewPart] = field(default_factory=list)
    parts_moved: list[tuple[str, UUID, int, int]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    def steps(self) -> list[Step]:
        """All but the moves, as statements of a pipeline."""
        steps = [record_parts(self.parts_added)] if self.parts_added else []
        if self.parts_moved:
            states, ids, attempts, parts = zip(*self.parts_moved, strict=True)
            steps.append(_MOVE_PARTS(states=states, ids=ids, attempts=attempts, parts=parts, span=span(ids)))
        if self.matched:
            receipts, ids = zip(*self.matched, strict=True)
            steps.append(_MATCHED(receipts=receipts, ids=ids))
        if self.in_doubt:
            steps.append(_WAIT_FOR_MORE(receipts=self.in_doubt, wait_s=SHARED_ID_DOUBT_S))
        return steps


async def work(
    transaction: Transaction,
    limit: int,
    owner: str,
    policy: ChargePolicy,
    modes_of: ModesOf = any_mode,
    *,
    spans: ReceiptSpans,
) -> Worked:
    """Applies up to `limit` waiting receipts to their messages; those without a match wait longer.

    A receipt without a known id is of no message that its carrier cannot have been given. `spans` begins one for each
    message that is sampled.
    """
    waiting = await waiting_receipts(transaction, limit)
    matched: dict[UUID, list[WaitingReceipt]] = {}
    unmatched: list[int] = []
    for found in waiting:
        receipt = await _with_message(transaction.connection, found, modes_of)
        if receipt.message_id is None:
            unmatched.append(receipt.id)
        else:
            matched.setdefault(receipt.message_id, []).append(receipt)
    steps = [postponed(unmatched)] if unmatched else []
    money: Money = {}
    left = len(unmatched)
    if matched:
        changes = await _changes(transaction, matched, spans)
        left += len(changes.in_doubt)
        moves, money = moving(changes.moves, owner, policy)
        steps += [*changes.steps(), *moves]
    if steps:
        await transaction.run_last(*steps)
    return Worked(looked_at=len(waiting), matched=len(waiting) - left, money=money)


async def _with_message(connection: Connection, receipt: WaitingReceipt, modes_of: ModesOf) -> WaitingReceipt:
    """The receipt with the message that it is about, if one is known now.

    Where its id is that of a message to another phone, its own message may have the same id, and that may not be on
    record yet, or never come: so that one is looked for first.
    """
    if receipt.message_id is not None and not receipt.is_to_another:
        return receipt
    if receipt.tries < UNKNOWN_AFTER_TRIES:
        return replace(receipt, message_id=None)
    unknown = await _unknown_message(connection, receipt, modes_of)
    return receipt if unknown is None else replace(receipt, message_id=unknown, attempt=None, found_id=None)


async def _unknown_message(connection: Connection, receipt: WaitingReceipt, modes_of: ModesOf) -> UUID | None:
    if receipt.recipient is None or receipt.phone_alone:
        return None
    cursor = await connection.execute(
        _UNKNOWN_FOR,
        {
            "recipient": receipt.recipient,
            "sender_id": receipt.sender_id,
            "carrier": receipt.carrier,
            "receipt": receipt.id,
            "modes": [mode.value for mode in modes_of(receipt.carrier)],
        },
    )
    candidates = await cursor.fetchall()
    return candidates[0][0] if len(candidates) == 1 else None


async def _changes(
    transaction: Transaction, matched: dict[UUID, list[WaitingReceipt]], spans: ReceiptSpans
) -> _Changes:
    """Locks the messages and works out what their receipts do to them."""
    ids = sorted(matched)
    # One after another, though in one pipeline: each sees what was committed until the locks before it were had.
    _, held, found, *traced = await transaction.run(
        _LOCK_QUEUE(ids=ids), hold_messages(ids), look_up_parts(ids), *spans.look_up(ids)
    )
    spans.begin(traced)
    parts = parts_in(found, ids)
    changes = _Changes()
    delivered = await _delivered_of_late(transaction, matched, parts)
    for target in targets_in(held):
        receipts = []
        for receipt in matched[target.id]:
            sharing = _sharing(receipt, parts[target.id])
            so_far = delivered.get((receipt.carrier, receipt.canonical_id), 0)
            if is_in_doubt(ReceiptState(receipt.state), sharing=sharing, delivered=so_far, age_s=receipt.age_s):
                changes.in_doubt.append(receipt.id)
                continue
            receipts.append(receipt)
            changes.matched.append((receipt.id, target.id))
            _apply(target, parts[target.id], receipt, changes)
        states = [part.state for part in parts[target.id]]
        state = state_after(target.state, states, target.units)
        if receipts and state is not target.state:
            changes.moves.append(_move(target, state, states, receipts, spans.moved(target.id, state.value)))
    return changes


def _sharing(receipt: WaitingReceipt, parts: Sequence[Part]) -> int:
    """How many parts have the receipt's id; 1 where it speaks for all of them anyway."""
    if receipt.all_parts or receipt.known_parts:
        return 1
    return sum(part.canonical_id == receipt.canonical_id for part in parts)


async def _delivered_of_late(
    transaction: Transaction, matched: dict[UUID, list[WaitingReceipt]], parts: dict[UUID, list[Part]]
) -> dict[tuple[str, str], int]:
    """How many deliveries were reported of late for each id that several parts share."""
    shared = [
        (receipt.carrier, receipt.canonical_id)
        for message_id, receipts in matched.items()
        for receipt in receipts
        if _sharing(receipt, parts[message_id]) > 1
    ]
    if not shared:
        return {}
    step = _DELIVERED_OF_LATE(
        carriers=[carrier for carrier, _ in shared], ids=[id_ for _, id_ in shared], within_s=SHARED_ID_DOUBT_S
    )
    (rows,) = await transaction.run(step)
    return {(carrier, id_): count for carrier, id_, count in rows}


def _move(
    target: Target,
    state: State,
    parts: Sequence[ReceiptState],
    receipts: Sequence[WaitingReceipt],
    trace_id: bytes | None,
) -> Move:
    failed = next((part for part in parts if part in FAILED_RECEIPTS), None)
    failures = [receipt for receipt in receipts if ReceiptState(receipt.state) in FAILED_RECEIPTS]
    errors = (receipt.network_error for receipt in failures)
    codes = (receipt.failure_code for receipt in failures)
    return Move(
        target,
        state,
        code=None if failed is None else next((code for code in codes if code), FAILED_RECEIPTS[failed]),
        carrier=receipts[-1].carrier,
        carrier_error_code=None if failed is None else next((error for error in errors if error), None),
        raw=f"receipt {receipts[-1].id}",
        trace_id=trace_id,
    )


def _apply(target: Target, parts: list[Part], receipt: WaitingReceipt, changes: _Changes) -> None:
    if receipt.attempt is not None and receipt.attempt != target.attempt:
        return  # speaks of an attempt before the latest resend; kept, but decides nothing any more
    reported = ReceiptState(receipt.state)
    # A carrier that names a message as a whole has one id for all of its parts.
    reported_on = [part for part in parts if part.canonical_id == receipt.canonical_id]
    if reported_on and receipt.known_parts:
        reported_on = parts
    for part in reported_on:
        state = part_after(part.state, reported)
        if state is not part.state:
            part.state = state
            changes.parts_moved.append((state.value, target.id, target.attempt, part.number))
    if reported_on:
        return
    while target.state is State.UNKNOWN and len(parts) < target.units:
        # The submit was never recorded; the receipt is the first to name this part's id.
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
