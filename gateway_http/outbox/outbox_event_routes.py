"""The route of the events of an outbox entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.outbox.outbox_event_models import OutboxEvent
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import limit, next_link, parameters
from gateway_http.shared.upstream import Call, answer_of
from tukupay.sms.messaging.v1 import messaging_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceAsyncStub

EVENTS = "/api/sms/outbox/{outboxId}/events"
MAX_EVENTS = 500

_READ = Call("messaging")
_TIMEOUT_S = 10.0


class OutboxEventRoutes:
    """Speaks to the messaging service."""

    def __init__(self, messaging: MessagingServiceAsyncStub) -> None:
        self._messaging = messaging

    def routes(self) -> list[Route]:
        """The route to mount."""
        return [Route(EVENTS, self.list_events, methods=["GET"])]

    async def list_events(self, request: Request) -> Response:
        """Answers with a bare array, oldest first, and a link to the next page when there is one."""
        values = parameters(request.scope["query_string"], ("limit", "pageToken"))
        question = messaging_pb2.ListOutboxEventsRequest(
            outbox_id=request.path_params["outboxId"],
            page_size=limit(values, MAX_EVENTS),
            page_token=values.get("pageToken", ""),
        )
        call = self._messaging.ListOutboxEvents(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        # Only an id that an entry has gets here, so it is safe to repeat in the link.
        path = EVENTS.format(outboxId=question.outbox_id)
        headers = {"Link": next_link(path, values, token)} if token else {}
        return json_answer([OutboxEvent.of(event) for event in page.events], headers=headers)
