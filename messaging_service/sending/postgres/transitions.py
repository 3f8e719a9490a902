"""Moves of messages that no claim owns, with their money: by receipts, and by outcomes that came late.

The caller has locked the queue rows and the messages, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from messaging_service.accounts.domain.charging import ChargePolicy, transfer_for
from messaging_service.accounts.postgres.account_rows import hold_accounts
from messaging_service.shared.domain.states import Billing, State
from messaging_service.shared.postgres.month_ranges import IDS, in_span, span
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.access.principal import AccessMode
from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import Rows, Statement, Step
from service_kit.postgres.traced_statements import bytea, traced_and_not

Money = Mapping[Billing, Decimal]
"""KES that were charged, released or refunded; what is absent is none."""

# What is between <> belongs to batches with messages that are sampled.
# Without `one = 1`, which holds for every row, the planner takes the rows for a hundred, and would rather read all
# messages of a young system than look up each of them. No `in_span`: see there.
_MOVE, _MOVE_TRACED = traced_and_not("""
    WITH moved AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS moved (
            id uuid, account_id text, attempt smallint, from_state text, to_state text, billing text, total numeric,
            ends_hold bool, charges bool, refunds bool, code text, carrier text, carrier_error_code text, raw text,
            carrier_cost numeric, carrier_parts smallint, one int<, trace_id bytea>
        )
        WHERE one = 1
    ), updated AS (
        UPDATE message m SET
            state = moved.to_state, billing = moved.billing, error_code = moved.code,
            carrier_error_code = moved.carrier_error_code, carrier = coalesce(m.carrier, moved.carrier),
            sent_at = CASE WHEN moved.billing IN ('charged', 'refunded') THEN coalesce(m.sent_at, now()) END,
            delivered_at = CASE WHEN moved.to_state = 'delivered' THEN now() ELSE m.delivered_at END
        FROM moved WHERE m.id = moved.id
    ), noted AS (
        INSERT INTO message_event (
            message_id, attempt, from_state, to_state, actor, carrier, code, carrier_error_code, raw, carrier_cost,
            carrier_parts<, trace_id>
        )
        SELECT
            id, attempt, from_state, to_state, %(owner)s, carrier, code, carrier_error_code, raw, carrier_cost,
            carrier_parts<, trace_id>
        FROM moved
    ), unqueued AS (
        DELETE FROM dispatch d USING moved WHERE d.message_id = moved.id AND d.state = 'unknown'
    ), charged AS (
        INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt)
        SELECT account_id, 'charge', -total, id, attempt FROM moved WHERE charges
    ), refunded AS (
        INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt)
        SELECT account_id, 'refund', total, id, attempt FROM moved WHERE refunds
    )
    UPDATE account a SET held = a.held - s.held, posted = a.posted - s.charged + s.refunded
    FROM (
        SELECT account_id, coalesce(sum(total) FILTER (WHERE ends_hold), 0) AS held,
            coalesce(sum(total) FILTER (WHERE charges), 0) AS charged,
            coalesce(sum(total) FILTER (WHERE refunds), 0) AS refunded
        FROM moved WHERE ends_hold OR refunds GROUP BY account_id
    ) s
    WHERE a.id = s.account_id
""")


@dataclass(frozen=True, slots=True)
class Target:
    """A message, locked."""

    id: UUID
    account_id: str
    state: State
    units: int
    attempt: int
    total: Decimal
    billing: Billing
    mode: AccessMode


_TARGET = RecordColumns(Target, sql={"attempt": "retry_count + 1"})
_LOCK_MESSAGES = Statement(f"""
    SELECT {_TARGET.sql} FROM message WHERE id = {IDS} AND {in_span("id")} ORDER BY id FOR NO KEY UPDATE
""")


@dataclass(frozen=True, slots=True)
class Move:
    """Where a message goes, and why."""

    target: Target
    state: State
    code: str | None
    """Of the failure; None when it is none."""
    carrier: str | None
    """Who said so; counts when none is on record."""
    carrier_error_code: str | None
    """The carrier's own code of the failure; None when it gave none."""
    raw: str
    """For the audit trail."""
    carrier_cost: Decimal | None = None
    """What the carrier charges us for it, KES; None when it did not say now."""
    carrier_parts: int | None = None
    """How many parts the carrier counted; None when it did not say now."""
    trace_id: bytes | None = None
    """The trace and the span of the move, as they are stored; None unless the message is sampled."""


async def lock_messages(connection: Connection, ids: Sequence[UUID]) -> list[Target]:
    """Locks messages whose queue rows are locked, in the order of their ids."""
    (rows,) = await connection.trip(hold_messages(ids))
    return targets_in(rows)


def hold_messages(ids: Sequence[UUID]) -> Step:
    """`lock_messages` as a step of a trip; `targets_in` reads its rows."""
    return _LOCK_MESSAGES(ids=ids, span=span(ids))


def targets_in(rows: Rows) -> list[Target]:
    """The messages that were locked."""
    return [_TARGET.read(row) for row in rows]


async def move(
    connection: Connection, moves: Sequence[Move], owner: str, policy: ChargePolicy
) -> dict[Billing, Decimal]:
    """Writes the moves with their events, charges, releases and refunds; the KES of each kind."""
    steps, money = moving(moves, owner, policy)
    if steps:
        await connection.trip(*steps)
    return money


def moving(moves: Sequence[Move], owner: str, policy: ChargePolicy) -> tuple[list[Step], dict[Billing, Decimal]]:
    """`move` as steps of a trip, none where nothing moves."""
    if not moves:
        return [], {}
    rows = [_to_row(item, policy) for item in moves]
    payers = {row["account_id"] for row in rows if row["ends_hold"] or row["refunds"]}
    steps = [hold_accounts(payers)] if payers else []
    statement = _MOVE if all(item.trace_id is None for item in moves) else _MOVE_TRACED
    steps.append(statement(rows=msgspec.json.encode(rows), owner=owner))
    money = {
        Billing.CHARGED: sum((row["total"] for row in rows if row["charges"]), Decimal(0)),
        Billing.REFUNDED: sum((row["total"] for row in rows if row["refunds"]), Decimal(0)),
        Billing.RELEASED: sum((row["total"] for row in rows if row["ends_hold"] and not row["charges"]), Decimal(0)),
    }
    return steps, {billing: amount for billing, amount in money.items() if amount}


def _to_row(item: Move, policy: ChargePolicy) -> dict[str, Any]:
    target = item.target
    transfer = transfer_for(target.billing, item.state, policy, target.mode)
    traced = {} if item.trace_id is None else {"trace_id": bytea(item.trace_id)}
    return traced | {
        "one": 1,
        "id": target.id,
        "account_id": target.account_id,
        "attempt": target.attempt,
        "from_state": target.state.value,
        "to_state": item.state.value,
        "billing": transfer.billing.value,
        "total": target.total,
        "ends_hold": transfer.ends_hold,
        "charges": transfer.charges,
        "refunds": transfer.refunds,
        "code": item.code,
        "carrier": item.carrier,
        "carrier_error_code": item.carrier_error_code,
        "raw": item.raw,
        "carrier_cost": item.carrier_cost,
        "carrier_parts": item.carrier_parts,
    }
