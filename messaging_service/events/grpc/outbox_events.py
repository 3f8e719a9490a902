"""Events of single entries over gRPC."""

from __future__ import annotations

from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.events.list_events import ListEvents
from messaging_service.sending.domain.failures import failure_of
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.grpc import list_pages, wire
from messaging_service.shared.grpc.entry_ids import existing
from service_kit import page_token
from service_kit.access.caller import caller
from service_kit.errors import Violation, invalid
from tukupay.sms.messaging.v1 import events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

MAX_ID = 2**63 - 1


def from_event(event: OutboxEvent) -> events_pb2.OutboxEvent:
    """The public form of an event."""
    return events_pb2.OutboxEvent(
        event_id=event.id,
        outbox_id=outbox_id(event.message_id),
        user_id=event.account_id,
        message_id=event.client_message_id,
        event_time=wire.from_instant(event.at),
        attempt=event.attempt,
        from_state=pb.DELIVERY_STATE_UNSPECIFIED if event.from_state is None else wire.STATES[event.from_state],
        to_state=wire.STATES[event.to_state],
        status=wire.STATUSES[event.status],
        carrier=event.carrier,
        carrier_error_code=event.carrier_error_code,
        next_try_time=None if event.next_try_at is None else wire.from_instant(event.next_try_at),
        error_code=event.code,
        error_details=None if event.code is None else failure_of(event.code).details,
        mode=wire.MODES[event.mode],
    )


async def list_outbox_events(
    list_events: ListEvents, request: events_pb2.ListOutboxEventsRequest
) -> events_pb2.ListOutboxEventsResponse:
    """One page of the events of an entry. Raises ServiceError INVALID_ARGUMENT or OUTBOX_ENTRY_NOT_FOUND."""
    size = list_pages.page_size(request.page_size)
    message_id = existing(request.outbox_id)
    question = ("events", message_id.hex)
    after = _position(page_token.decode(request.page_token, question, 1)) if request.page_token else 0
    by = caller()
    found = await list_events(message_id, after, size + 1, by.accounts, by.mode)
    page = found[:size]
    token = page_token.encode((page[-1].id,), question) if len(found) > size else ""
    return events_pb2.ListOutboxEventsResponse(events=[from_event(event) for event in page], next_page_token=token)


def _position(values: list[str | int]) -> int:
    (after,) = values
    if not isinstance(after, int) or not 0 <= after <= MAX_ID:
        problem = "is not a token that this service made; start again without it"
        raise invalid([Violation("page_token", reasons.INVALID_PAGE_TOKEN, problem)])
    return after
