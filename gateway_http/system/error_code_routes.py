"""The route of the catalogue of failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.outbox.outbox_models import ErrorCode
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import parameters
from gateway_http.shared.upstream import Call, answer_of
from tukupay.sms.messaging.v1 import messaging_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

ERROR_CODES = "/api/sms/error-codes"

_READ = Call("messaging")
_TIMEOUT_S = 10.0


class ErrorCodeRoutes:
    """Speaks to the messaging service."""

    def __init__(self, messaging: MessagingServiceAsyncStub) -> None:
        self._messaging = messaging

    def routes(self) -> list[Route]:
        """The route to mount."""
        return [Route(ERROR_CODES, self.list_codes, methods=["GET"])]

    async def list_codes(self, request: Request) -> Response:
        """Answers with a bare array of all codes."""
        parameters(request.scope["query_string"], ())
        question = messaging_pb2.ListErrorCodesRequest()
        call = self._messaging.ListErrorCodes(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        answer = await answer_of(call, _READ)
        return json_answer([ErrorCode.of(code) for code in answer.error_codes])
