"""T2: outcomes become states, charges and releases, many in one statement, guarded by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from messaging_service.carriers.domain.submission import canonical_carrier_id
from messaging_service.privacy.sealing.message_contents import Sealer, with_text_of
from messaging_service.privacy.sealing.places import event_place
from messaging_service.sending.domain.settling import LEAVES_QUEUE, settlement_of
from messaging_service.sending.outbox import Settled, Settlement
from messaging_service.sending.postgres.reading import get_messages
from messaging_service.sending.postgres.unknown import RESEND_AT_OF_OWNED
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, State
from messaging_service.shared.postgres.record_columns import columns_of
from messaging_service.shared.postgres.sql_words import quoted
from service_kit.postgres.database import Connection
from service_kit.postgres.traced_statements import bytea, traced_and_not

HELD_BACK_S = 5
"""How long a message waits at least that comes back to the queue while its phone is opting out: the pass that looks
for it there (opt_outs.py) comes sooner, and another carrier must not have it before."""


class _Row(NamedTuple):
    """A message as it stands after its settlement."""

    id: UUID
    state: str
    billing: str
    sent_at: datetime | None
    error_code: str | None
    carrier: str | None


# One statement, and so one transaction and one round trip. Rows that this process no longer owns match
# nothing and change nothing. Locks come in the order that holds everywhere: queue rows (any other process that
# touches these messages meets there), then accounts by id, as each step reads from the one before.
# Entries get their numbers once their accounts are locked, as all bookings do: the entries of an account are numbered
# in the order of their commits, which statements rely on (postgres_ledger_store.py).
# The planner believes the queue to be empty, as it mostly is, and would gladly walk through everything
# that was deleted since the last vacuum. So queue rows are looked up one by one by their key, and then
# addressed by their place (ctid). What is between <> belongs to batches with messages that are sampled.
_SETTLE, _SETTLE_TRACED = traced_and_not(f"""
    WITH input AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS input (
            id uuid, account_id text, epoch int, state text, billing text, carrier text, code text, raw text,
            retry_in_s float8, parts json, recipient text, avoid text, carrier_cost numeric,
            carrier_parts smallint<, trace_id bytea>
        )
    ), owned AS MATERIALIZED (
        SELECT input.*, d.ctid AS queue_row
        FROM input CROSS JOIN LATERAL (
            SELECT ctid, epoch, state, owner FROM dispatch WHERE message_id = input.id OFFSET 0 FOR UPDATE
        ) d
        WHERE d.epoch = input.epoch AND d.state = 'submitting' AND d.owner = %(owner)s
    ), payers AS MATERIALIZED (
        SELECT a.id FROM account a
        WHERE a.id IN (SELECT account_id FROM owned WHERE billing <> 'held')
        ORDER BY a.id FOR NO KEY UPDATE
    ), done AS (
        DELETE FROM dispatch d
        WHERE d.ctid = ANY(ARRAY(SELECT queue_row FROM owned WHERE state IN ({quoted(LEAVES_QUEUE)})))
        RETURNING d.message_id
    ), kept AS (
        UPDATE dispatch d SET
            state = owned.state, owner = NULL, lease_until = NULL, tries = least(d.tries + 1, 32000),
            avoid = CASE WHEN owned.avoid IS NULL THEN d.avoid ELSE d.avoid || owned.avoid END,
            recipient = owned.recipient,
            resend_at = CASE owned.state WHEN 'unknown' THEN {RESEND_AT_OF_OWNED} END,
            due_at = now() + make_interval(
                secs => CASE
                    WHEN owned.state = 'unknown' THEN %(unknown_window_s)s
                    WHEN EXISTS (
                        SELECT 1 FROM suppression s
                        WHERE s.phone = owned.recipient AND s.ended_at IS NULL AND s.pass_due_at IS NOT NULL
                    ) THEN greatest(owned.retry_in_s, {HELD_BACK_S})
                    ELSE owned.retry_in_s
                END
            )
        FROM owned WHERE d.ctid = owned.queue_row AND owned.state NOT IN ({quoted(LEAVES_QUEUE)})
        RETURNING d.message_id
    ), left_queue AS (
        SELECT message_id FROM done UNION ALL SELECT message_id FROM kept
    ), settled AS (
        UPDATE message m SET
            state = owned.state, billing = owned.billing, carrier = owned.carrier,
            error_code = owned.code,
            sent_at = CASE owned.state WHEN 'accepted' THEN now() ELSE m.sent_at END
        FROM owned JOIN left_queue ON left_queue.message_id = owned.id WHERE m.id = owned.id
        RETURNING m.id, m.account_id, m.total, m.retry_count + 1 AS attempt, m.state, m.billing, m.sent_at,
            m.error_code, m.mode, owned.carrier, owned.code, owned.raw, owned.parts, owned.retry_in_s,
            owned.carrier_cost, owned.carrier_parts<, owned.trace_id>
    ), taken AS (
        INSERT INTO message_part (message_id, attempt, part, carrier, carrier_message_id, canonical_id)
        SELECT settled.id, settled.attempt, p.number, settled.carrier, p.ids ->> 0, p.ids ->> 1
        FROM settled, json_array_elements(settled.parts) WITH ORDINALITY AS p (ids, number)
    ), noted AS (
        INSERT INTO message_event (
            message_id, attempt, from_state, to_state, actor, carrier, code, raw, next_try_at, carrier_cost,
            carrier_parts<, trace_id>
        )
        SELECT id, attempt, 'submitting', state, %(owner)s, carrier, code, raw,
            CASE state WHEN 'ready' THEN now() + make_interval(secs => retry_in_s) END, carrier_cost, carrier_parts
            <, trace_id>
        FROM settled
    ), charged AS (
        INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt)
        SELECT settled.account_id, 'charge', -settled.total, settled.id, settled.attempt
        FROM settled JOIN payers ON payers.id = settled.account_id
        WHERE settled.billing = 'charged' AND settled.mode = 'live'
    ), billed AS (
        UPDATE account a SET held = a.held - s.held, posted = a.posted - s.charged
        FROM (
            SELECT account_id, sum(total) AS held,
                coalesce(sum(total) FILTER (WHERE billing = 'charged'), 0) AS charged
            FROM settled WHERE billing <> 'held' GROUP BY account_id
        ) s
        JOIN payers ON payers.id = s.account_id
        WHERE a.id = payers.id
    )
    SELECT {columns_of(_Row)} FROM settled
""")


@dataclass(frozen=True, slots=True)
class UnknownTimes:
    """How long an unknown outcome waits, in seconds."""

    window_s: float
    """For a receipt, before it expires."""
    resend_after_s: float
    """Before the message is sent again by itself, where the account wants that."""


async def settle(
    connection: Connection, batch: Sequence[Settlement], owner: str, unknown: UnknownTimes, sealer: Sealer
) -> list[Settled]:
    """Records a batch; see Outbox.settle."""
    in_order = sorted(batch, key=lambda item: item.message.id)
    statement = _SETTLE if all(item.trace_id is None for item in batch) else _SETTLE_TRACED
    step = statement(
        rows=msgspec.json.encode([_to_row(item, sealer) for item in in_order]),
        owner=owner,
        unknown_window_s=unknown.window_s,
        resend_after_s=unknown.resend_after_s,
    )
    (settled,) = await connection.trip(step)
    rows = {row.id: row for row in map(_Row._make, settled)}
    lost = [item.message.id for item in batch if item.message.id not in rows]
    stored = {message.id: message for message in await get_messages(connection, lost)} if lost else {}
    return [_settled(item, rows.get(item.message.id), stored) for item in batch]


def _to_row(item: Settlement, sealer: Sealer) -> dict[str, Any]:
    message = item.message
    state, billing = settlement_of(item.outcome, has_another=item.avoid is not None)
    traced = {} if item.trace_id is None else {"trace_id": bytea(item.trace_id)}
    return traced | {
        "id": item.message.id,
        "account_id": message.account_id,
        "epoch": item.epoch,
        "state": state.value,
        "billing": billing.value,
        "carrier": item.outcome.carrier or None,
        "code": item.outcome.error_code,
        "raw": sealer.words(message.account_id, event_place(message.id), item.outcome.raw),
        "retry_in_s": item.retry_in_s,
        "recipient": item.message.recipient,
        "avoid": item.avoid,
        "carrier_cost": item.outcome.carrier_cost,
        "carrier_parts": item.outcome.carrier_parts,
        "parts": [(reference, canonical_carrier_id(reference)) for reference in item.outcome.carrier_message_ids],
    }


def _settled(item: Settlement, row: _Row | None, stored: dict[UUID, Message]) -> Settled:
    if row is None:
        found = stored.get(item.message.id)
        return Settled(item.message if found is None else with_text_of(found, item.message), applied=False)
    message = replace(
        item.message,
        state=State(row.state),
        billing=Billing(row.billing),
        sent_at=row.sent_at,
        error_code=row.error_code,
        carrier=row.carrier,
    )
    return Settled(message, applied=True)
