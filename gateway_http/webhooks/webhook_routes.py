"""The routes of webhooks: make, show, change, delete, rotate, test, log, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_http.shared.idempotency_key import without_key
from gateway_http.shared.json_answer import call_metadata, json_answer
from gateway_http.shared.query import choice, limit, next_link, parameters
from gateway_http.shared.request_body import JsonBody, read_body
from gateway_http.shared.upstream import Call, answer_of
from gateway_http.webhooks.webhook_models import (
    EVENTS,
    STATES,
    EventName,
    NewWebhook,
    Replayed,
    ReplayOrder,
    SecretRotation,
    StateName,
    Webhook,
    WebhookChange,
    WebhookDelivery,
    WebhookWithSecret,
)
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.webhooks_pb2_grpc import WebhookServiceAsyncStub

WEBHOOKS = "/api/sms/webhooks"
WEBHOOK = "/api/sms/webhooks/{webhookId}"
ROTATION = "/api/sms/webhooks/{webhookId}/rotate-secret"
TEST = "/api/sms/webhooks/{webhookId}/test"
DELIVERIES = "/api/sms/webhooks/{webhookId}/deliveries"
REPLAY = "/api/sms/webhooks/{webhookId}/replay"
MAX_DELIVERIES = 500

_READ = Call("messaging")
_WRITE = Call("messaging", "it may or may not have taken effect: list the webhooks to see")
# A new URL is looked up before it is taken.
_TIMEOUT_S = 15.0


class WebhookRoutes:
    """Speaks to the messaging service."""

    def __init__(self, webhooks: WebhookServiceAsyncStub) -> None:
        self._webhooks = webhooks
        self._new = JsonBody(NewWebhook)
        self._change = JsonBody(WebhookChange)
        self._rotation = JsonBody(SecretRotation)
        self._replay = JsonBody(ReplayOrder)

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route(WEBHOOKS, self.list_webhooks, methods=["GET"]),
            Route(WEBHOOKS, without_key(self.create), methods=["POST"]),
            Route(WEBHOOK, self.show, methods=["GET"]),
            Route(WEBHOOK, self.change, methods=["PATCH"]),
            Route(WEBHOOK, self.delete, methods=["DELETE"]),
            Route(ROTATION, without_key(self.rotate), methods=["POST"]),
            Route(TEST, without_key(self.test), methods=["POST"]),
            Route(DELIVERIES, self.deliveries, methods=["GET"]),
            Route(REPLAY, without_key(self.replay), methods=["POST"]),
        ]

    async def list_webhooks(self, request: Request) -> Response:
        """Answers with a bare array, oldest first."""
        values = parameters(request.scope["query_string"], ("userId",), required=("userId",))
        question = pb.ListWebhooksRequest(user_id=values["userId"])
        call = self._webhooks.ListWebhooks(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer([Webhook.of(webhook) for webhook in (await answer_of(call, _READ)).webhooks])

    async def create(self, request: Request) -> Response:
        """Makes a webhook and answers 201 with it and its secret."""
        parameters(request.scope["query_string"], ())
        new = self._new.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._webhooks.CreateWebhook(new.to_request(), timeout=_TIMEOUT_S, metadata=call_metadata(request))
        made = await answer_of(call, _WRITE)
        return json_answer(WebhookWithSecret(webhook=Webhook.of(made.webhook), secret=made.secret), 201)

    async def show(self, request: Request) -> Response:
        """Answers with one webhook."""
        parameters(request.scope["query_string"], ())
        question = pb.GetWebhookRequest(webhook_id=request.path_params["webhookId"])
        call = self._webhooks.GetWebhook(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        return json_answer(Webhook.of((await answer_of(call, _READ)).webhook))

    async def change(self, request: Request) -> Response:
        """Changes a webhook and answers with it."""
        parameters(request.scope["query_string"], ())
        change = self._change.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._webhooks.UpdateWebhook(
            change.to_request(request.path_params["webhookId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        return json_answer(Webhook.of((await answer_of(call, _WRITE)).webhook))

    async def delete(self, request: Request) -> Response:
        """Deletes a webhook and answers 204."""
        parameters(request.scope["query_string"], ())
        call = self._webhooks.DeleteWebhook(
            pb.DeleteWebhookRequest(webhook_id=request.path_params["webhookId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        await answer_of(call, _WRITE)
        return Response(status_code=204)

    async def rotate(self, request: Request) -> Response:
        """Answers with a new secret."""
        parameters(request.scope["query_string"], ())
        rotation = self._rotation.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._webhooks.RotateWebhookSecret(
            rotation.to_request(request.path_params["webhookId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        made = await answer_of(call, _WRITE)
        return json_answer(WebhookWithSecret(webhook=Webhook.of(made.webhook), secret=made.secret))

    async def test(self, request: Request) -> Response:
        """Posts a test event and answers 202 with its delivery."""
        parameters(request.scope["query_string"], ())
        call = self._webhooks.TestWebhook(
            pb.TestWebhookRequest(webhook_id=request.path_params["webhookId"]),
            timeout=_TIMEOUT_S,
            metadata=call_metadata(request),
        )
        return json_answer(WebhookDelivery.of((await answer_of(call, _WRITE)).delivery), 202)

    async def deliveries(self, request: Request) -> Response:
        """Answers with a bare array, newest first, and a link to the next page when there is one."""
        values = parameters(request.scope["query_string"], ("state", "event", "limit", "pageToken"))
        state, event = choice(values, "state", tuple(STATES)), choice(values, "event", tuple(EVENTS))
        webhook_id = request.path_params["webhookId"]
        question = pb.ListWebhookDeliveriesRequest(
            webhook_id=webhook_id,
            state=STATES[cast("StateName", state)] if state else pb.WEBHOOK_DELIVERY_STATE_UNSPECIFIED,
            event=EVENTS[cast("EventName", event)] if event else pb.WEBHOOK_EVENT_UNSPECIFIED,
            page_size=limit(values, MAX_DELIVERIES),
            page_token=values.get("pageToken", ""),
        )
        call = self._webhooks.ListWebhookDeliveries(question, timeout=_TIMEOUT_S, metadata=call_metadata(request))
        page = await answer_of(call, _READ)
        token = page.next_page_token
        # Only an id that a webhook has gets here, so it is safe to repeat in the link.
        path = DELIVERIES.format(webhookId=webhook_id)
        headers = {"Link": next_link(path, values, token)} if token else {}
        return json_answer([WebhookDelivery.of(one) for one in page.deliveries], headers=headers)

    async def replay(self, request: Request) -> Response:
        """Posts deliveries again and answers 202 with how many."""
        parameters(request.scope["query_string"], ())
        order = self._replay.decode(await read_body(request.receive, request.scope["headers"]))
        call = self._webhooks.ReplayWebhookDeliveries(
            order.to_request(request.path_params["webhookId"]), timeout=_TIMEOUT_S, metadata=call_metadata(request)
        )
        return json_answer(Replayed(replayed=(await answer_of(call, _WRITE)).replayed), 202)
