"""The routes of the outbox: resend, list, show, events, why a message may fail, cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.outbox.outbox_event_models import OutboxEvent
from gateway_http.outbox.outbox_models import ErrorCode, NoFields, OutboxReference, UpdateAnswer, UpdatedOutboxEntry
from gateway_http.outbox.outbox_operations import (
    CANCEL_SMS,
    GET_OUTBOX_ENTRY,
    LIST_ERROR_CODES,
    LIST_OUTBOX_ENTRIES,
    LIST_OUTBOX_EVENTS,
    RESEND_SMS,
)
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.outbox_entry import STATUSES, OutboxEntry
from gateway_http.shared.preferred_wait import PreferredWait
from gateway_http.shared.query import chosen
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.send_outcomes import of_resend
from gateway_http.shared.upstream import Call
from tukupay.sms.messaging.v1 import events_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.events_pb2_grpc import EventServiceAsyncStub
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

_READ = Call("messaging")
_ERROR_CODES = 500
"""Codes in one answer of messaging: all of them today."""
_RESEND = Call(
    "messaging",
    "the SMS may or may not have been resent: look at GET /api/sms/outbox/{outboxId} before you try again",
)
_CANCEL = Call("messaging", "the SMS may or may not have been cancelled: repeating the request is safe")


class OutboxRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(
        self,
        messaging: MessagingServiceAsyncStub,
        events: EventServiceAsyncStub,
        *,
        outcome_wait_s: float,
        send_deadline_s: float,
    ) -> None:
        self._messaging = messaging
        self._events = events
        self._resend = replace(_RESEND, timeout_s=send_deadline_s)
        self._wait = PreferredWait(outcome_wait_s)

    @handles_body(RESEND_SMS, refuses_key=True)
    async def resend(self, request: RestRequest, reference: OutboxReference) -> Response:
        """Sends a failed entry again and answers with what changed about it."""
        question = pb.ResendSmsRequest(outbox_id=reference.outbox_id, outcome_wait=self._wait.of(request.headers))
        entry = (await request.answer(self._messaging.ResendSms, question, self._resend)).entry
        outcome = of_resend(entry)
        answer = UpdateAnswer(outcome.status, outcome.message, UpdatedOutboxEntry.of(entry))
        return json_answer(answer, outcome.http_status)

    @handles(LIST_OUTBOX_ENTRIES)
    async def list_entries(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        question = pb.ListOutboxEntriesRequest(
            user_id=request.query["userId"],
            status=chosen(request.query, "status", STATUSES, pb.SMS_STATUS_UNSPECIFIED),
            tag=request.query.get("tag"),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._messaging.ListOutboxEntries, question, _READ)
        return request.page([OutboxEntry.of(entry) for entry in page.entries], page.next_page_token)

    @handles(GET_OUTBOX_ENTRY, unlike="resend")
    async def show(self, request: RestRequest) -> Response:
        """Answers with one entry as it stands."""
        question = pb.GetOutboxEntryRequest(outbox_id=request.path["outboxId"])
        found = await request.answer(self._messaging.GetOutboxEntry, question, _READ)
        return json_answer(OutboxEntry.of(found.entry))

    @handles(LIST_OUTBOX_EVENTS)
    async def list_events(self, request: RestRequest) -> Response:
        """Answers with a bare array, oldest first."""
        question = events_pb2.ListOutboxEventsRequest(
            outbox_id=request.path["outboxId"], page_size=request.page_size(), page_token=request.page_token()
        )
        page = await request.answer(self._events.ListOutboxEvents, question, _READ)
        return request.page([OutboxEvent.of(event) for event in page.events], page.next_page_token)

    @handles(LIST_ERROR_CODES)
    async def list_error_codes(self, request: RestRequest) -> Response:
        """Answers with a bare array of all codes."""
        pages = request.pages(self._messaging.ListErrorCodes, pb.ListErrorCodesRequest(page_size=_ERROR_CODES), _READ)
        return json_answer([ErrorCode.of(code) async for page in pages for code in page.error_codes])

    @handles_body(CANCEL_SMS)
    async def cancel(self, request: RestRequest, _body: NoFields) -> Response:
        """Stops an entry that was not submitted yet and answers with what changed about it."""
        question = pb.CancelSmsRequest(outbox_id=request.path["outboxId"])
        entry = (await request.answer(self._messaging.CancelSms, question, _CANCEL)).entry
        return json_answer(UpdateAnswer("success", "SMS cancelled.", UpdatedOutboxEntry.of(entry)))
