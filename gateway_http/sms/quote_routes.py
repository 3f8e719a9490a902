"""The route that says what an SMS would cost, and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.route import RestRequest, RestRoutes, handles_body
from gateway_http.shared.upstream import Call
from gateway_http.sms.quote_models import NewQuote, Quote
from gateway_http.sms.sms_operations import QUOTE_SMS

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

_READ = Call("messaging")


class QuoteRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, messaging: MessagingServiceAsyncStub) -> None:
        self._messaging = messaging

    @handles_body(QUOTE_SMS)
    async def quote(self, request: RestRequest, wanted: NewQuote) -> Response:
        """Answers with what the message would take and cost."""
        return json_answer(Quote.of(await request.answer(self._messaging.QuoteSms, wanted.to_request(), _READ)))
