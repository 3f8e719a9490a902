"""What the events of messages say to receivers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.notices.domain.cloud_event import of_outbox
from messaging_service.shared.domain.states import State
from service_kit.access.principal import AccessMode

LIVE: dict[str, Any] = {
    "outboxId": "outbox_00000000000000000000000000000001",
    "messageId": "order-7",
    "userId": "shop",
    "status": "sent",
    "deliveryState": "accepted",
    "attempt": 1,
    "carrier": "sandbox",
    "errorCode": None,
    "errorDetails": None,
}


def data_of(mode: AccessMode) -> Any:
    event = OutboxEvent(
        id=3,
        message_id=UUID(int=1),
        account_id="shop",
        client_message_id="order-7",
        attempt=1,
        from_state=State.SUBMITTING,
        to_state=State.ACCEPTED,
        at=datetime(2026, 6, 1, 12, tzinfo=UTC),
        carrier="sandbox",
        next_try_at=None,
        code=None,
        carrier_error_code=None,
        mode=mode,
    )
    made = of_outbox(event)
    assert made is not None
    return json.loads(made.body())["data"]


def test_the_event_of_a_test_message_says_so_and_any_other_is_as_it_was() -> None:
    assert data_of(AccessMode.LIVE) == LIVE
    assert data_of(AccessMode.TEST) == LIVE | {"mode": "test"}
