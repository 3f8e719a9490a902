"""The second half of T1: one statement writes messages, their places in the queue, their events and their holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from messaging_service.accounts.postgres.account_rows import HOLD_MORE
from messaging_service.sending.outbox import Acceptance
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, Priority, State
from service_kit.postgres.database import Transaction
from service_kit.postgres.pipeline import Statement

LANES = {Priority.HIGH: 0, Priority.NORMAL: 1}
"""The order in which the queue is looked through."""

# One statement writes everything. The database's clock alone decides whether a scheduled message is due.
_RECORD = Statement(f"""
    WITH input AS (
        SELECT *, wanted.reserved AND coalesce(wanted.expires_at > now(), true) AS claimed
        FROM json_to_recordset(%(rows)s::json) AS wanted (
            id uuid, account_id text, key text, app_id text, recipient text, text text, sender_id text,
            message_name text, priority text, encoding text, units smallint, cost_id text, level text,
            unit_price numeric, total numeric, priced_at timestamptz, price_known_at timestamptz,
            scheduled_at timestamptz, reserved bool, tags json, custom_data text, route text, expires_at timestamptz
        )
    ), recorded AS (
        INSERT INTO message (
            id, account_id, client_message_id, app_id, recipient, text, sender_id, message_name, priority,
            encoding, units, price_cost_id, price_level, unit_price, total, priced_at, price_known_at, scheduled_at,
            tags, custom_data, expires_at, billing, state, last_attempt_at
        )
        SELECT
            id, account_id, key, app_id, recipient, text, sender_id, message_name, priority,
            encoding, units, cost_id, level, unit_price, total, priced_at, price_known_at, scheduled_at,
            ARRAY(SELECT json_array_elements_text(tags)), custom_data::jsonb, expires_at,
            'held',
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
            id, route, CASE priority WHEN 'high' THEN 0 ELSE 1 END,
            greatest(scheduled_at, now()), greatest(scheduled_at, now()),
            CASE WHEN claimed THEN 'submitting' ELSE 'ready' END,
            CASE WHEN claimed THEN 1 ELSE 0 END,
            CASE WHEN claimed THEN %(owner)s END,
            CASE WHEN claimed THEN now() + make_interval(secs => %(lease_s)s) END,
            expires_at,
            CASE WHEN NOT claimed THEN recipient END
        FROM input
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, to_state, actor)
        SELECT id, 1, state, %(owner)s FROM recorded
    ), held AS (
        UPDATE account a SET {HOLD_MORE}
        FROM (
            SELECT account_id, sum(total) AS total, count(*) AS messages FROM recorded GROUP BY account_id
        ) s
        WHERE a.id = s.account_id
    )
    SELECT id, state, created_at, last_attempt_at FROM recorded
""")


@dataclass(frozen=True, slots=True)
class Owner:
    """Under whose name rows are claimed, and for how long."""

    name: str
    lease_s: float
    usable_s: float
    """How long a claim may be used: the lease less its margin."""


async def record(transaction: Transaction, batch: Sequence[Acceptance], owner: Owner) -> list[Message]:
    """Writes requests whose accounts can hold them; the messages, in the same order."""
    wanted = [
        {
            "id": item.message_id,
            "account_id": item.request.account_id,
            "key": item.key,
            "app_id": item.request.app_id,
            "recipient": item.request.recipient,
            "text": item.request.text,
            "sender_id": item.request.sender_id,
            "message_name": item.request.message_name,
            "priority": item.request.priority.value,
            "encoding": item.request.segmentation.encoding.value,
            "units": item.request.segmentation.units,
            "cost_id": item.price.cost_id,
            "level": item.price.level.value,
            "unit_price": item.price.unit_price,
            "total": item.price.total(item.request.segmentation.units),
            "priced_at": item.priced_at,
            "price_known_at": item.price_known_at,
            "scheduled_at": item.request.scheduled_at,
            "expires_at": item.request.expires_at,
            "reserved": item.claimed,
            "tags": item.request.tags,
            "custom_data": item.request.custom_data_json,
            "route": item.route,
        }
        for item in batch
    ]
    step = _RECORD(rows=msgspec.json.encode(wanted), owner=owner.name, lease_s=owner.lease_s)
    (rows,) = await transaction.run(step)
    recorded = {row[0]: row for row in rows}
    return [_message(item, *recorded[item.message_id][1:]) for item in batch]


def _message(acceptance: Acceptance, state: str, created_at: datetime, last_attempt_at: datetime | None) -> Message:
    request = acceptance.request
    return Message(
        id=acceptance.message_id,
        account_id=request.account_id,
        client_message_id=acceptance.key,
        app_id=request.app_id,
        recipient=request.recipient,
        text=request.text,
        sender_id=request.sender_id,
        message_name=request.message_name,
        priority=request.priority,
        encoding=request.segmentation.encoding,
        units=request.segmentation.units,
        price=acceptance.price,
        priced_at=acceptance.priced_at,
        price_known_at=acceptance.price_known_at,
        total=acceptance.price.total(request.segmentation.units),
        state=State(state),
        billing=Billing.HELD,
        retry_count=0,
        error_code=None,
        carrier_error_code=None,
        carrier=None,
        created_at=created_at,
        scheduled_at=request.scheduled_at,
        expires_at=request.expires_at,
        sent_at=None,
        last_attempt_at=last_attempt_at,
        delivered_at=None,
        tags=request.tags,
        custom_data_json=request.custom_data_json,
    )
