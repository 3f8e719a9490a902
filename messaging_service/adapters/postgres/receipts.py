"""The durable inbox of delivery receipts, and how receipts find their messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from messaging_service.adapters.postgres.accounts import lock_accounts
from messaging_service.domain.settling import FAILED_RECEIPTS, part_after, state_after
from messaging_service.domain.states import Billing, State
from messaging_service.domain.submission import DeliveryReceipt, ReceiptState, canonical_carrier_id
from messaging_service.use_cases.receipt_inbox import Worked
from service_kit.database import Connection

_STORE = """
    INSERT INTO receipt (carrier, carrier_message_id, canonical_id, state, recipient, sender_id, network_error,
        done_at, raw, network, all_parts)
    SELECT * FROM json_to_recordset(%s::json) AS receipts (
        carrier text, carrier_message_id text, canonical_id text, state text, recipient text, sender_id text,
        network_error text, done_at timestamptz, raw text, network text, all_parts boolean
    )
"""

# By the carrier's id. A carrier may use an id again after months, so the newest part with it is meant.
_WAITING = """
    WITH due AS (
        SELECT id, carrier, canonical_id, carrier_message_id, state, recipient, sender_id, tries, received_at,
            all_parts
        FROM receipt WHERE next_try_at <= now()
        ORDER BY next_try_at, id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    SELECT due.id, due.carrier, due.carrier_message_id, due.state, due.recipient, due.sender_id,
        due.tries, due.all_parts, p.message_id, p.attempt
    FROM due LEFT JOIN LATERAL (
        SELECT message_id, attempt FROM message_part p
        WHERE p.carrier = due.carrier AND p.canonical_id = due.canonical_id
        ORDER BY message_id DESC, attempt DESC LIMIT 1
    ) p ON true
    ORDER BY due.id
"""

# A message whose process died after the submit has no carrier id on record. An unmatched receipt for the
# same phone and sender is its own when just one such message is open.
_UNKNOWN_FOR = """
    SELECT m.id FROM dispatch d JOIN message m ON m.id = d.message_id
    WHERE d.state = 'unknown' AND d.recipient = %(recipient)s
        AND (%(sender_id)s::text IS NULL OR ltrim(m.sender_id, '+') = ltrim(%(sender_id)s, '+'))
        AND m.last_attempt_at <= (SELECT received_at FROM receipt WHERE id = %(receipt)s)
    ORDER BY m.id LIMIT 2
"""

_LOCK_MESSAGES = """
    SELECT id, account_id, state, units, retry_count + 1, total, billing FROM message
    WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
_LOCK_QUEUE = "SELECT 1 FROM dispatch WHERE message_id = ANY(%s) ORDER BY message_id FOR UPDATE"
_PARTS = """
    SELECT message_id, part, canonical_id, state FROM message_part p
    WHERE message_id = ANY(%s) AND attempt = (SELECT retry_count + 1 FROM message WHERE id = p.message_id)
    ORDER BY message_id, part
"""
_ADD_PARTS = """
    INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id, state)
    SELECT * FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::text[], %s::text[], %s::text[], %s::text[])
"""
_MOVE_PARTS = """
    UPDATE message_part p SET state = moved.state
    FROM unnest(%s::text[], %s::uuid[], %s::smallint[], %s::smallint[]) AS moved (state, message_id, attempt, part)
    WHERE p.message_id = moved.message_id AND p.attempt = moved.attempt AND p.part = moved.part
"""
_MATCHED = """
    UPDATE receipt r SET message_id = matched.message_id, next_try_at = NULL
    FROM unnest(%s::bigint[], %s::uuid[]) AS matched (id, message_id) WHERE r.id = matched.id
"""
# Waits 1, 2, 4 … s, at most an hour; given up for good, and kept as an orphan, after about three days.
_POSTPONE = """
    UPDATE receipt SET tries = tries + 1, next_try_at = CASE WHEN tries < 80
        THEN now() + make_interval(secs => least(3600, power(2, least(tries, 12)))) END
    WHERE id = ANY(%s)
"""
_MOVE = """
    WITH moved AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS moved (
            id uuid, account_id text, attempt smallint, from_state text, to_state text, charged numeric, code text,
            carrier text, receipt bigint
        )
    ), updated AS (
        UPDATE message m SET
            state = moved.to_state, billing = CASE WHEN moved.charged > 0 THEN 'charged' ELSE m.billing END,
            error_code = moved.code, carrier = coalesce(m.carrier, moved.carrier),
            sent_at = coalesce(m.sent_at, now()),
            delivered_at = CASE WHEN moved.to_state = 'delivered' THEN now() ELSE m.delivered_at END
        FROM moved WHERE m.id = moved.id
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, carrier, code, raw)
        SELECT id, attempt, from_state, to_state, %(owner)s, carrier, code, 'receipt ' || receipt FROM moved
    ), unqueued AS (
        DELETE FROM dispatch d USING moved WHERE d.message_id = moved.id AND d.state = 'unknown'
    ), charged AS (
        INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt)
        SELECT account_id, 'charge', -charged, id, attempt FROM moved WHERE charged > 0
    )
    UPDATE account a SET held = a.held - s.charged, posted = a.posted - s.charged
    FROM (SELECT account_id, sum(charged) AS charged FROM moved WHERE charged > 0 GROUP BY account_id) s
    WHERE a.id = s.account_id
"""

UNKNOWN_AFTER_TRIES = 2
"""A receipt may overtake the record of its own submit, so it waits a little before it is matched to a
message of unknown outcome."""


@dataclass(slots=True)
class _Part:
    number: int
    canonical_id: str
    state: ReceiptState


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A receipt of the inbox, with the part that has its id, if any."""

    id: int
    carrier: str
    carrier_message_id: str
    state: str
    recipient: str | None
    sender_id: str | None
    tries: int
    all_parts: bool
    message_id: UUID | None
    attempt: int | None

    @property
    def canonical_id(self) -> str:
        return canonical_carrier_id(self.carrier_message_id)


@dataclass(frozen=True, slots=True)
class _Target:
    """The message that receipts speak of, locked."""

    id: UUID
    account_id: str
    state: State
    units: int
    attempt: int
    total: Decimal
    billing: Billing


@dataclass(slots=True)
class _Changes:
    """What a pass will write, as columns."""

    matched: list[tuple[int, UUID]] = field(default_factory=list)
    parts_added: list[tuple[UUID, int, int, str, str, str, str]] = field(default_factory=list)
    parts_moved: list[tuple[str, UUID, int, int]] = field(default_factory=list)
    moved: list[tuple[_Target, State, ReceiptState | None, _Waiting]] = field(default_factory=list)


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
    await connection.execute(_STORE, (msgspec.json.encode(rows).decode(),))


async def postpone_next(connection: Connection) -> None:
    """See ReceiptInbox.postpone_next."""
    cursor = await connection.execute(_WAITING, (1,))
    await connection.execute(_POSTPONE, ([row[0] for row in await cursor.fetchall()],))


async def work(connection: Connection, limit: int, owner: str) -> Worked:
    """See ReceiptInbox.work."""
    cursor = await connection.execute(_WAITING, (limit,))
    waiting = [_Waiting(*row) for row in await cursor.fetchall()]
    matched: dict[UUID, list[_Waiting]] = {}
    unmatched: list[int] = []
    for receipt in waiting:
        message_id = receipt.message_id or await _unknown_message(connection, receipt)
        if message_id is None:
            unmatched.append(receipt.id)
        else:
            matched.setdefault(message_id, []).append(receipt)
    if unmatched:
        await connection.execute(_POSTPONE, (unmatched,))
    if matched:
        await _write(connection, await _changes(connection, matched), owner)
    return Worked(looked_at=len(waiting), matched=len(waiting) - len(unmatched))


async def _unknown_message(connection: Connection, receipt: _Waiting) -> UUID | None:
    if receipt.recipient is None or receipt.tries < UNKNOWN_AFTER_TRIES:
        return None
    cursor = await connection.execute(
        _UNKNOWN_FOR,
        {"recipient": receipt.recipient, "sender_id": receipt.sender_id, "receipt": receipt.id},
    )
    candidates = await cursor.fetchall()
    return candidates[0][0] if len(candidates) == 1 else None


async def _changes(connection: Connection, matched: dict[UUID, list[_Waiting]]) -> _Changes:
    """Locks the messages and works out what their receipts do to them."""
    ids = sorted(matched)
    await connection.execute(_LOCK_QUEUE, (ids,))
    cursor = await connection.execute(_LOCK_MESSAGES, (ids,))
    targets = [
        _Target(row[0], row[1], State(row[2]), row[3], row[4], row[5], Billing(row[6]))
        for row in await cursor.fetchall()
    ]
    parts: dict[UUID, list[_Part]] = {message_id: [] for message_id in ids}
    cursor = await connection.execute(_PARTS, (ids,))
    for message_id, number, canonical_id, state in await cursor.fetchall():
        parts[message_id].append(_Part(number, canonical_id, ReceiptState(state)))
    changes = _Changes()
    for target in targets:
        receipts = matched[target.id]
        for receipt in receipts:
            changes.matched.append((receipt.id, target.id))
            _apply(target, parts[target.id], receipt, changes)
        states = [part.state for part in parts[target.id]]
        state = state_after(target.state, states, target.units)
        if state is not target.state:
            failed = next((part for part in states if part in FAILED_RECEIPTS), None)
            changes.moved.append((target, state, failed, receipts[-1]))
    return changes


def _apply(target: _Target, parts: list[_Part], receipt: _Waiting, changes: _Changes) -> None:
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
        part = _Part(len(parts) + 1, receipt.canonical_id, state)
        parts.append(part)
        changes.parts_added.append(
            (
                target.id,
                target.attempt,
                part.number,
                receipt.carrier,
                receipt.carrier_message_id,
                part.canonical_id,
                state.value,
            )
        )
        if not receipt.all_parts:
            return


async def _write(connection: Connection, changes: _Changes, owner: str) -> None:
    if changes.parts_added:
        await connection.execute(_ADD_PARTS, _columns(changes.parts_added))
    if changes.parts_moved:
        await connection.execute(_MOVE_PARTS, _columns(changes.parts_moved))
    await connection.execute(_MATCHED, _columns(changes.matched))
    if not changes.moved:
        return
    to_charge = {target.account_id for target, *_ in changes.moved if target.billing is Billing.HELD}
    if to_charge:
        await lock_accounts(connection, to_charge)
    rows = [
        {
            "id": target.id,
            "account_id": target.account_id,
            "attempt": target.attempt,
            "from_state": target.state.value,
            "to_state": state.value,
            "charged": target.total if target.billing is Billing.HELD else Decimal(0),
            "code": None if failed is None else FAILED_RECEIPTS[failed],
            "carrier": receipt.carrier,
            "receipt": receipt.id,
        }
        for target, state, failed, receipt in changes.moved
    ]
    await connection.execute(_MOVE, {"rows": msgspec.json.encode(rows).decode(), "owner": owner})


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows turned into the columns that UNNEST takes."""
    return [list(column) for column in zip(*rows, strict=True)]
