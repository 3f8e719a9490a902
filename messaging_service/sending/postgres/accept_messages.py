"""The second half of T1: one statement writes messages, their places in the queue, their events and their holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from messaging_service.accounts.postgres.account_rows import HOLD_MORE
from messaging_service.privacy.sealing.message_contents import Content, Sealer
from messaging_service.sending.outbox import Acceptance
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Priority, State
from messaging_service.shared.postgres.record_columns import columns_of
from service_kit.postgres.database import Transaction
from service_kit.postgres.pipeline import Step
from service_kit.postgres.traced_statements import bytea, traced_and_not

LANES = {Priority.HIGH: 0, Priority.NORMAL: 1}
"""The order in which the queue is looked through."""
_LANE = " ".join(f"WHEN '{priority.value}' THEN {lane}" for priority, lane in LANES.items())

GIVEN = {
    "id": "message_id",
    "account_id": "request.account_id",
    "client_message_id": "key",
    "app_id": "request.app_id",
    "recipient": "request.recipient",
    "text": "request.text",
    "sender_id": "request.sender_id",
    "message_name": "request.message_name",
    "priority": "request.priority",
    "encoding": "request.segmentation.encoding",
    "units": "request.segmentation.units",
    "price_cost_id": "price.cost_id",
    "price_level": "price.level",
    "unit_price": "price.unit_price",
    "total": "total",
    "priced_at": "priced_at",
    "price_known_at": "price_known_at",
    "scheduled_at": "request.scheduled_at",
    "expires_at": "request.expires_at",
    "tags": "request.tags",
    "custom_data": "request.custom_data_json",
    "mode": "request.mode",
}
"""The columns that are known at acceptance, and where an Acceptance has them. The others begin as `_RECORD` and the
table say; what a message is recorded as, Acceptance.message says, too, and a test compares."""
_SEALED = ("content", "recipient_index")
"""The columns that stand for the text and the custom data, and beside the recipient, where contents are sealed."""
_QUEUED = {"reserved": "claimed", "route": "route"}
"""What the queue needs besides."""
_VALUES = attrgetter(*GIVEN.values(), *_QUEUED.values())
_NAMES = (*GIVEN, *_QUEUED)
_COLUMNS = ", ".join((*GIVEN, *_SEALED))
TYPES = {
    "id": "uuid",
    "units": "smallint",
    "unit_price": "numeric(18, 6)",
    "total": "numeric(18, 6)",
    "priced_at": "timestamptz",
    "price_known_at": "timestamptz",
    "scheduled_at": "timestamptz",
    "expires_at": "timestamptz",
    "tags": "text[]",
    # Comes as the text that the client wrote.
    "custom_data": "text",
    "content": "bytea",
    "recipient_index": "bytea",
}
"""What is not text among these columns; a test compares with the table, which is slow to import."""
_TYPES = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in (*GIVEN, *_SEALED))
_SELECTED = ", ".join("custom_data::jsonb" if name == "custom_data" else name for name in (*GIVEN, *_SEALED))


class _Recorded(NamedTuple):
    """What the database says of a message that it has recorded."""

    id: UUID
    state: str
    created_at: datetime
    last_attempt_at: datetime | None


# One statement writes everything. The database's clock alone decides whether a scheduled message is due. What is
# between <> belongs to batches with messages that are sampled; the others do without.
_RECORD, _RECORD_TRACED = traced_and_not(f"""
    WITH input AS (
        SELECT *, wanted.reserved AND coalesce(wanted.expires_at > now(), true) AS claimed
        FROM json_to_recordset(%(rows)s::json) AS wanted ({_TYPES}, reserved bool, route text<, trace_id bytea>)
    ), recorded AS (
        INSERT INTO message ({_COLUMNS}, billing, state, last_attempt_at)
        SELECT
            {_SELECTED}, 'held',
            CASE WHEN claimed THEN 'submitting' WHEN scheduled_at > now() THEN 'scheduled' ELSE 'ready' END,
            CASE WHEN claimed THEN now() END
        FROM input
        RETURNING id, account_id, total, state, created_at, last_attempt_at
    ), queued AS (
        INSERT INTO dispatch (
            message_id, route, lane, due_at, queued_at, state, epoch, owner, lease_until, expires_at,
            recipient
        )
        SELECT
            id, route, CASE priority {_LANE} END,
            greatest(scheduled_at, now()), greatest(scheduled_at, now()),
            CASE WHEN claimed THEN 'submitting' ELSE 'ready' END,
            CASE WHEN claimed THEN 1 ELSE 0 END,
            CASE WHEN claimed THEN %(owner)s END,
            CASE WHEN claimed THEN now() + make_interval(secs => %(lease_s)s) END,
            expires_at,
            CASE WHEN NOT claimed THEN recipient END
        FROM input
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, to_state, actor<, trace_id>)
        SELECT recorded.id, 1, recorded.state, %(owner)s<, input.trace_id>
        FROM recorded<, input WHERE input.id = recorded.id>
    ), held AS (
        UPDATE account a SET {HOLD_MORE}
        FROM (
            SELECT account_id, sum(total) AS total, count(*) AS messages FROM recorded GROUP BY account_id
        ) s
        WHERE a.id = s.account_id
    )
    SELECT {columns_of(_Recorded)} FROM recorded
""")


@dataclass(frozen=True, slots=True)
class Owner:
    """Under whose name rows are claimed, and for how long."""

    name: str
    lease_s: float
    usable_s: float
    """How long a claim may be used: the lease less its margin."""


async def record(
    transaction: Transaction, batch: Sequence[Acceptance], owner: Owner, sealer: Sealer, first: Sequence[Step] = ()
) -> list[Message]:
    """Writes requests whose accounts can hold them; the messages, in the same order.

    `first`: statements that give no rows, in the same round trip.
    """
    wanted = [_row(item, sealer) for item in batch]
    statement = _RECORD if all(item.trace_id is None for item in batch) else _RECORD_TRACED
    step = statement(rows=msgspec.json.encode(wanted), owner=owner.name, lease_s=owner.lease_s)
    *_, rows = await transaction.run(*first, step)
    recorded = {row.id: row for row in map(_Recorded._make, rows)}
    return [_message(item, recorded[item.message_id]) for item in batch]


def _row(item: Acceptance, sealer: Sealer) -> dict[str, Any]:
    row = dict(zip(_NAMES, _VALUES(item), strict=False))
    request = item.request
    content = Content(request.text, request.custom_data_json, request.recipient)
    if (envelope := sealer.content(item.message_id, request.account_id, content)) is not None:
        row["text"] = row["custom_data"] = None
        row["content"] = bytea(envelope)
    if (index := sealer.phone(request.recipient)) is not None:
        row["recipient_index"] = bytea(index)
    if item.trace_id is not None:
        row["trace_id"] = bytea(item.trace_id)
    return row


def _message(item: Acceptance, recorded: _Recorded) -> Message:
    return item.message(State(recorded.state), recorded.created_at, recorded.last_attempt_at)
