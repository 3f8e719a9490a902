"""Outcomes that came after their submits were called unknown, recorded while the messages still are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import ReceiptState, canonical_carrier_id
from messaging_service.opt_outs.postgres.suppression_conditions import IS_OF_RECIPIENT
from messaging_service.receipts.late_outcomes import LateSettlement, Verdict
from messaging_service.sending.domain.settling import FAILED_RECEIPTS, settlement_of, state_after
from messaging_service.sending.postgres.parts_sent import NewPart, Part, add_parts, forget_parts, parts_of
from messaging_service.sending.postgres.transitions import Move, Target, lock_messages, move
from messaging_service.shared.domain.states import State
from service_kit.postgres.database import Connection

# Queue rows first, then messages, then accounts: the order in which receipts, sweeps and settlements lock, too.
_LOCK_QUEUE = """
    SELECT message_id, epoch, state FROM dispatch WHERE message_id = ANY(%s) ORDER BY message_id FOR UPDATE
"""
# Whoever works receipts locks them before the queue rows of their messages; so does this, as it changes both.
_LOCK_RECEIPTS = """
    SELECT r.id FROM unnest(%s::text[], %s::text[]) AS named (carrier, canonical_id)
    JOIN receipt r ON r.carrier = named.carrier AND r.canonical_id = named.canonical_id AND r.message_id IS NULL
    ORDER BY r.id FOR UPDATE OF r
"""
# Given up or still waiting: now that the ids are on record, the receipts for them have a match.
_WAKE_RECEIPTS = "UPDATE receipt SET next_try_at = now() WHERE id = ANY(%s)"
_OPTED_OUT = f"""
    SELECT m.id FROM message m
    WHERE m.id = ANY(%s) AND EXISTS (SELECT 1 FROM suppression s WHERE {IS_OF_RECIPIENT} AND s.ended_at IS NULL)
"""
_REQUEUE = """
    WITH input AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS input (
            id uuid, attempt smallint, retry_in_s float8, code text, carrier text, raw text
        )
    ), queued AS (
        UPDATE dispatch d SET
            state = 'ready', resend_at = NULL, tries = least(d.tries + 1, 32000),
            due_at = now() + make_interval(secs => input.retry_in_s)
        FROM input WHERE d.message_id = input.id
    ), moved AS (
        UPDATE message m SET state = 'ready', error_code = input.code FROM input WHERE m.id = input.id
    )
    INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, carrier, code, raw, next_try_at)
    SELECT id, attempt, 'unknown', 'ready', %(owner)s, carrier, code, raw,
        now() + make_interval(secs => retry_in_s)
    FROM input
"""


@dataclass(slots=True)
class _Work:
    """One late outcome whose message is open and locked."""

    item: LateSettlement
    target: Target
    parts: list[Part]


async def settle_late(
    connection: Connection, batch: Sequence[LateSettlement], owner: str, policy: ChargePolicy
) -> list[Verdict]:
    """Settles messages that are still unknown under the same epoch; a verdict for each, in order."""
    receipts = await _lock_receipts(connection, batch)
    cursor = await connection.execute(_LOCK_QUEUE, (sorted({item.message_id for item in batch}),))
    queue = {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}
    verdicts = [_verdict(item, queue) for item in batch]
    # The first word about a message counts; a second one in the same batch finds it settled.
    first: dict[UUID, int] = {}
    for place, (item, verdict) in enumerate(zip(batch, verdicts, strict=True)):
        if verdict is Verdict.RECORDED and first.setdefault(item.message_id, place) != place:
            verdicts[place] = Verdict.OVERTAKEN
    if first:
        targets = {target.id: target for target in await lock_messages(connection, list(first))}
        parts = await parts_of(connection, list(first))
        work = {place: _Work(batch[place], targets[id_], parts[id_]) for id_, place in first.items()}
        for place in await _record(connection, work, owner, policy):
            verdicts[place] = Verdict.OVERTAKEN
    if receipts:
        await connection.execute(_WAKE_RECEIPTS, (receipts,))
    return verdicts


async def _lock_receipts(connection: Connection, batch: Sequence[LateSettlement]) -> list[int]:
    """Those without a message that name one of the parts; what arrives from now on is looked at anyway."""
    named = [
        (item.outcome.carrier, canonical_carrier_id(reference))
        for item in batch
        for reference in item.outcome.carrier_message_ids
    ]
    if not named:
        return []
    cursor = await connection.execute(_LOCK_RECEIPTS, ([carrier for carrier, _ in named], [id_ for _, id_ in named]))
    return [row[0] for row in await cursor.fetchall()]


def _verdict(item: LateSettlement, queue: dict[UUID, tuple[int, str]]) -> Verdict:
    epoch, state = queue.get(item.message_id, (None, None))
    if epoch != item.epoch:
        return Verdict.OVERTAKEN
    if state == State.SUBMITTING:
        return Verdict.TOO_EARLY
    return Verdict.RECORDED if state == State.UNKNOWN else Verdict.OVERTAKEN


async def _record(connection: Connection, work: dict[int, _Work], owner: str, policy: ChargePolicy) -> list[int]:
    """Writes what the outcomes say; the places of those whose messages stay as they are."""
    moves: list[Move] = []
    requeued: list[dict[str, Any]] = []
    left_open: list[int] = []
    opted_out = await _opted_out(connection, [each.target.id for each in work.values()])
    for place, each in sorted(work.items(), key=lambda pair: pair[1].target.id):
        state, _ = settlement_of(each.item.outcome, has_another=False)
        if state is State.READY and (each.parts or each.target.id in opted_out):
            # The carrier has reported a part that it took, or the phone wants no messages any more.
            left_open.append(place)
        elif state is State.READY:
            requeued.append(_requeue_row(each))
        else:
            moves.append(await _settled(connection, each, state))
    await move(connection, moves, owner, policy)
    if requeued:
        parameters = {"rows": msgspec.json.encode(requeued).decode(), "owner": owner}
        await connection.execute(_REQUEUE, parameters)
    return left_open


async def _opted_out(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    return {row[0] for row in await (await connection.execute(_OPTED_OUT, (list(ids),))).fetchall()}


async def _settled(connection: Connection, each: _Work, state: State) -> Move:
    """The move that an acceptance or a refusal makes, once the ids that came with it are on record."""
    outcome, target = each.item.outcome, each.target
    states = [part.state for part in each.parts]
    if outcome.carrier_message_ids:
        states = await _retell_parts(connection, each)
    if state is State.ACCEPTED:
        # Receipts that were matched by phone while the ids were unknown may have said how it ended.
        state = state_after(State.ACCEPTED, states, target.units)
    failed = next((part for part in states if part in FAILED_RECEIPTS), None)
    code = outcome.error_code
    if state is State.UNDELIVERED and failed is not None:
        code = FAILED_RECEIPTS[failed]
    return Move(
        target,
        state,
        code,
        outcome.carrier,
        carrier_error_code=None,
        raw=outcome.raw,
        carrier_cost=outcome.carrier_cost,
        carrier_parts=outcome.carrier_parts,
    )


async def _retell_parts(connection: Connection, each: _Work) -> list[ReceiptState]:
    """Puts the carrier's ids in place of what is on record, keeping what receipts said of each."""
    outcome, target = each.item.outcome, each.target
    known = {part.canonical_id: part.state for part in each.parts}
    new = []
    for number, reference in enumerate(outcome.carrier_message_ids, start=1):
        canonical = canonical_carrier_id(reference)
        reported = known.get(canonical, ReceiptState.ACCEPTED)
        new.append(NewPart(target.id, target.attempt, number, outcome.carrier, reference, canonical, reported))
    await forget_parts(connection, target.id, target.attempt)
    await add_parts(connection, new)
    return [part.state for part in new]


def _requeue_row(each: _Work) -> dict[str, Any]:
    outcome = each.item.outcome
    return {
        "id": each.target.id,
        "attempt": each.target.attempt,
        "retry_in_s": each.item.retry_in_s,
        "code": outcome.error_code,
        "carrier": outcome.carrier,
        "raw": outcome.raw,
    }
