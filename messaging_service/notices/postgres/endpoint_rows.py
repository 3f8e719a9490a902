"""Rows of endpoints and deliveries, and how deliveries are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.cloud_event import CloudEvent
from messaging_service.notices.domain.endpoints import Delivery, Endpoint, EventType
from messaging_service.privacy.sealing.key_ring import keys_unavailable
from messaging_service.privacy.sealing.message_contents import Contents, Sealer
from messaging_service.privacy.sealing.places import body_place
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.postgres.database import Connection

ENDPOINT: Final = RecordColumns(
    Endpoint,
    sql={"previous_secret_until": "CASE WHEN previous_secret_until > now() THEN previous_secret_until END"},
    read={"events": lambda words: tuple(EventType(word) for word in words)},
)
DELIVERY: Final = RecordColumns(Delivery)
_RECORD: Final = """
    INSERT INTO webhook_delivery (id, endpoint_id, event_id, event_type, body, next_try_at, give_up_at)
    SELECT id, endpoint_id, event_id, event_type, body, coalesce(not_before, now()),
        coalesce(not_before, now()) + %(give_up)s
    FROM unnest(%(ids)s::uuid[], %(endpoints)s::uuid[], %(events)s::text[], %(types)s::text[], %(bodies)s::text[],
        %(not_before)s::timestamptz[])
        WITH ORDINALITY AS new (id, endpoint_id, event_id, event_type, body, not_before, place)
    ORDER BY place
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An event for one endpoint."""

    id: UUID
    """The id of the delivery."""
    endpoint_id: UUID
    event: CloudEvent
    not_before: datetime | None = None
    """When it is sent at the earliest; None for at once."""


async def record(
    connection: Connection, new: Sequence[NewDelivery], give_up_after: timedelta, contents: Contents
) -> int:
    """Records deliveries in this order, except those on record; returns how many are new.

    `give_up_after`: how long each is tried. `contents` seals their bodies. Raises ServiceError KEYS_UNAVAILABLE.
    """
    if not new:
        return 0
    # An event is rendered once, however many want it.
    bodies = {delivery.event.id: delivery.event.body() for delivery in new}
    sealer = await contents.sealer({delivery.event.account_id for delivery in new})
    parameters = {
        "ids": [delivery.id for delivery in new],
        "endpoints": [delivery.endpoint_id for delivery in new],
        "events": [delivery.event.id for delivery in new],
        "types": [delivery.event.type.value for delivery in new],
        "bodies": [_body(delivery, bodies[delivery.event.id], sealer) for delivery in new],
        "not_before": [delivery.not_before for delivery in new],
        "give_up": give_up_after,
    }
    return (await connection.execute(_RECORD, parameters)).rowcount


def _body(delivery: NewDelivery, body: str, sealer: Sealer) -> str:
    """The body as it is stored."""
    words = sealer.words(delivery.event.account_id, body_place(delivery.id), body)
    if words is None:
        raise keys_unavailable()
    return words
