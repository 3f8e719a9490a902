"""The routes of the outbox: resend, cancel, show, list."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.outbox.outbox_models import STATUSES, OutboxEntry, Status, UpdateAnswer, UpdatedOutboxEntry
from gateway_http.shared.idempotency_key import without_key
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.preferred_wait import PreferredWait
from gateway_http.shared.query import choice, limit, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.send_outcomes import of_resend
from gateway_http.shared.upstream import Call, answer_of
from gateway_http.sms.sms_models import NoFields, OutboxReference
from tukupay.sms.messaging.v1 import messaging_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

OUTBOX = "/api/sms/outbox"
RESEND = "/api/sms/outbox/resend"
ENTRY = "/api/sms/outbox/{outboxId}"
CANCEL = "/api/sms/outbox/{outboxId}/cancel"
MAX_ENTRIES = 500

_READ = Call("messaging")
_RESEND = Call(
    "messaging",
    "the SMS may or may not have been resent: look at GET /api/sms/outbox/{outboxId} before you try again",
)
_CANCEL = Call("messaging", "the SMS may or may not have been cancelled: repeating the request is safe")
_TIMEOUT_S = 10.0


class _OutboxId(Convertor[str]):
    """A path segment that is not the name of a route beside it, so that `GET …/resend` is a wrong method."""

    regex = "(?!resend$)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("outbox_id", _OutboxId())


class OutboxRoutes:
    """Speaks to the messaging service."""

    def __init__(self, messaging: MessagingServiceAsyncStub, *, outcome_wait_s: float, send_deadline_s: float) -> None:
        self._messaging = messaging
        self._send_deadline_s = send_deadline_s
        self._wait = PreferredWait(outcome_wait_s)
        self._reference = JsonBody(OutboxReference)
        self._no_fields = JsonBody(NoFields)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(OUTBOX, self.list_entries, methods=["GET"]),
            Route(RESEND, without_key(self.resend), methods=["POST"]),
            Route(ENTRY.replace("Id}", "Id:outbox_id}"), self.show, methods=["GET"]),
            Route(CANCEL, self.cancel, methods=["POST"]),
        ]

    async def resend(self, request: Request) -> Response:
        """Sends a failed entry again and answers with what changed about it."""
        parameters(request.scope["query_string"], ())
        reference = self._reference.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._messaging.ResendSms(
            messaging_pb2.ResendSmsRequest(
                outbox_id=reference.outbox_id, outcome_wait=self._wait.of(request.scope["headers"])
            ),
            timeout=self._send_deadline_s,
            metadata=call_metadata(request),
        )
        entry = (await answer_of(call, _RESEND)).entry
        outcome = of_resend(entry)
        answer = UpdateAnswer(outcome.status, outcome.message, UpdatedOutboxEntry.of(entry))
        return json_answer(answer, outcome.http_status)

    async def cancel(self, request: Request) -> Response:
        """Stops an entry that was not submitted yet and answers with what changed about it."""
        parameters(request.scope["query_string"], ())
        body = await read_body(request.receive, request.scope["headers"])
        if body:
            self._no_fields.decode(body)
        call = self._messaging.CancelSms(
            messaging_pb2.CancelSmsRequest(outbox_id=request.path_params["outboxId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        entry = (await answer_of(call, _CANCEL)).entry
        return json_answer(UpdateAnswer("success", "SMS cancelled.", UpdatedOutboxEntry.of(entry)))

    async def show(self, request: Request) -> Response:
        """Answers with one entry as it stands."""
        parameters(request.scope["query_string"], ())
        call = self._messaging.GetOutboxEntry(
            messaging_pb2.GetOutboxEntryRequest(outbox_id=request.path_params["outboxId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        return json_answer(OutboxEntry.of((await answer_of(call, _READ)).entry))

    async def list_entries(self, request: Request) -> Response:
        """Answers with a bare array, newest first, and a link to the next page when there is one."""
        known = ("userId", "status", "tag", "limit", "pageToken")
        values = parameters(request.scope["query_string"], known, required=("userId",))
        status = choice(values, "status", tuple(STATUSES))
        question = messaging_pb2.ListOutboxEntriesRequest(
            user_id=values["userId"],
            status=STATUSES[cast("Status", status)] if status else messaging_pb2.SMS_STATUS_UNSPECIFIED,
            tag=values.get("tag"),
            page_size=limit(values, MAX_ENTRIES),
            page_token=values.get("pageToken", ""),
        )
        call = self._messaging.ListOutboxEntries(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        headers = {"Link": next_link(OUTBOX, values, token)} if token else {}
        return json_answer([OutboxEntry.of(entry) for entry in page.entries], headers=headers)
