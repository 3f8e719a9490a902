"""POST /api/sms/send: the hot route, answered on bare ASGI and through the coalescer."""

from __future__ import annotations

import msgspec
from starlette.types import Receive, Scope, Send

from gateway_http.openapi.operation import Operation
from gateway_http.shared.admission import Admission
from gateway_http.shared.idempotency_key import message_key
from gateway_http.shared.outbox_entry import OutboxEntry
from gateway_http.shared.preferred_wait import PreferredWait
from gateway_http.shared.problem import from_service_error
from gateway_http.shared.query import parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.send_outcomes import of_send
from gateway_http.shared.upstream import problem_of_item
from gateway_http.sms.coalescer import SEND, SendCoalescer
from gateway_http.sms.sms_models import NewSms, SendSmsAnswer
from gateway_http.sms.sms_operations import SEND_SMS
from service_kit.access.refusals import account_denied

PATH = SEND_SMS.path
METHOD = SEND_SMS.method.upper()


class SendSmsRoute:
    """Answers one send. It skips Starlette's request and response objects, which would cost as much as the rest."""

    def __init__(self, coalescer: SendCoalescer, outcome_wait_s: float, admission: Admission) -> None:
        self._admission = admission
        self._coalescer = coalescer
        self._body = JsonBody(NewSms)
        self._encode = msgspec.json.Encoder().encode
        self._wait = PreferredWait(outcome_wait_s)

    @classmethod
    def operations(cls) -> list[Operation]:
        """What the document says of the route."""
        return [SEND_SMS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        """Sends the SMS and answers with its entry. Raises ProblemError."""
        caller = await self._admission.admit(scope, SEND_SMS.access)
        if scope["query_string"]:
            parameters(scope["query_string"], ())
        sms = self._body.decode(await read_body(receive, scope["headers"]))
        item = sms.to_request(self._wait.of(scope["headers"]))
        if not item.HasField("message_id") and (key := message_key(scope["headers"])):
            item.message_id = key
        if caller is not None and not caller.principal.acts_for(item.user_id):
            self._admission.denied(caller, SEND_SMS.access, None, self._admission.origin(scope))
            raise from_service_error(account_denied())
        result = await self._coalescer.send(item, caller)
        if result.HasField("error"):
            raise problem_of_item(result.error, SEND)
        response = result.response
        entry = response.entry
        outcome = of_send(entry)
        answer = self._encode(SendSmsAnswer(outcome.status, OutboxEntry.of(entry), outcome.message))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer)),
            (b"x-request-id", request_id),
        ]
        if response.replayed:
            headers.append((b"idempotent-replay", b"true"))
        await send({"type": "http.response.start", "status": outcome.http_status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
