"""The events of single entries, over real gRPC and PostgreSQL."""

from __future__ import annotations

import pytest

from service_kit.errors import Kind
from tests.contract.sms_examples import accepted, not_taken, refused
from tests.integration.messaging.running_service import Running, refusal_of
from tukupay.sms.messaging.v1 import events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

S = pb.DeliveryState


async def pages(service: Running, outbox_id: str, size: int) -> list[list[events_pb2.OutboxEvent]]:
    found, token = [], ""
    while True:
        request = events_pb2.ListOutboxEventsRequest(outbox_id=outbox_id, page_size=size, page_token=token)
        page = await service.events.ListOutboxEvents(request)
        found.append(list(page.events))
        token = page.next_page_token
        if not token:
            return found


async def test_every_change_of_an_entry_is_listed_once_and_in_order(service: Running) -> None:
    service.carrier.answer = lambda _: refused()
    entry = (await service.send(user_id="story", message_id="m1")).entry
    await service.sms.ResendSms(pb.ResendSmsRequest(outbox_id=entry.outbox_id))
    found = await pages(service, entry.outbox_id, 2)
    assert [len(page) for page in found] == [2, 2, 1]
    events = [event for page in found for event in page]
    assert [(event.attempt, event.from_state, event.to_state) for event in events] == [
        (1, S.DELIVERY_STATE_UNSPECIFIED, S.DELIVERY_STATE_SUBMITTING),
        (1, S.DELIVERY_STATE_SUBMITTING, S.DELIVERY_STATE_REFUSED),
        (2, S.DELIVERY_STATE_REFUSED, S.DELIVERY_STATE_READY),
        (2, S.DELIVERY_STATE_READY, S.DELIVERY_STATE_SUBMITTING),
        (2, S.DELIVERY_STATE_SUBMITTING, S.DELIVERY_STATE_REFUSED),
    ]
    assert {(event.outbox_id, event.user_id, event.message_id) for event in events} == {
        (entry.outbox_id, "story", "m1")
    }
    refusal = events[1]
    assert (refusal.status, refusal.carrier, refusal.error_code) == (pb.SMS_STATUS_FAILED, "smpp", "INVALID_RECIPIENT")
    assert "phone number" in refusal.error_details
    assert not events[0].HasField("carrier")
    assert not events[0].HasField("error_code")
    ids = [event.event_id for event in events]
    assert ids == sorted(set(ids))


async def test_an_attempt_that_was_not_taken_says_when_it_is_tried_again(service: Running) -> None:
    answers = iter((not_taken(),))
    service.carrier.answer = lambda _: next(answers, None) or accepted()
    entry = (await service.send()).entry
    (events,) = await pages(service, entry.outbox_id, 50)
    assert [event.to_state for event in events] == [
        S.DELIVERY_STATE_SUBMITTING,
        S.DELIVERY_STATE_READY,
        S.DELIVERY_STATE_SUBMITTING,
        S.DELIVERY_STATE_ACCEPTED,
    ]
    waiting = events[1]
    assert waiting.error_code == "CARRIER_BUSY"
    assert waiting.event_time.ToDatetime() < waiting.next_try_time.ToDatetime() <= events[2].event_time.ToDatetime()
    assert not any(event.HasField("next_try_time") for event in events if event is not waiting)


async def test_another_entrys_page_token_is_refused(service: Running) -> None:
    first, other = [(await service.send()).entry.outbox_id for _ in range(2)]
    page = await service.events.ListOutboxEvents(events_pb2.ListOutboxEventsRequest(outbox_id=first, page_size=1))
    for token in (page.next_page_token, "garbage", "W10"):
        request = events_pb2.ListOutboxEventsRequest(outbox_id=other, page_token=token)
        error = await refusal_of(service.events.ListOutboxEvents(request))
        assert (error.kind, error.violations[0].field) == (Kind.INVALID, "page_token")


@pytest.mark.parametrize("outbox_id", ["outbox_" + "0" * 32, "outbox456", "x" * 300])
async def test_an_entry_that_does_not_exist_has_no_events(service: Running, outbox_id: str) -> None:
    error = await refusal_of(service.events.ListOutboxEvents(events_pb2.ListOutboxEventsRequest(outbox_id=outbox_id)))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND")


@pytest.mark.parametrize("size", [-1, 501])
async def test_a_page_size_out_of_bounds_is_refused(service: Running, size: int) -> None:
    request = events_pb2.ListOutboxEventsRequest(outbox_id="outbox_" + "0" * 32, page_size=size)
    error = await refusal_of(service.events.ListOutboxEvents(request))
    assert (error.kind, error.violations[0].field) == (Kind.INVALID, "page_size")
