"""The route that says what an SMS would cost, and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from gateway_http.sms.quote_models import NewQuote, Quote

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

QUOTE = "/api/sms/quote"

_READ = Call("messaging")
_TIMEOUT_S = 10.0


class QuoteRoutes:
    """Speaks to the messaging service."""

    def __init__(self, messaging: MessagingServiceAsyncStub) -> None:
        self._messaging = messaging
        self._body = JsonBody(NewQuote)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [Route(QUOTE, self.quote, methods=["POST"])]

    async def quote(self, request: Request) -> Response:
        """Answers with what the message would take and cost."""
        parameters(request.scope["query_string"], ())
        wanted = self._body.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._messaging.QuoteSms(wanted.to_request(), timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer(Quote.of(await answer_of(call, _READ)))
