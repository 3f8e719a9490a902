"""The routes of webhooks: make, list, show, change, delete, rotate, test, log, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway_http.shared.endpoint_models import Replayed
from gateway_http.shared.json_answer import json_answer
from gateway_http.shared.query import chosen
from gateway_http.shared.route import RestRequest, RestRoutes, handles, handles_body
from gateway_http.shared.upstream import Call
from gateway_http.webhooks.webhook_models import (
    EVENTS,
    STATES,
    NewWebhook,
    ReplayOrder,
    SecretRotation,
    Webhook,
    WebhookChange,
    WebhookDelivery,
    WebhookWithSecret,
)
from gateway_http.webhooks.webhook_operations import (
    CREATE_WEBHOOK,
    DELETE_WEBHOOK,
    GET_WEBHOOK,
    LIST_WEBHOOK_DELIVERIES,
    LIST_WEBHOOKS,
    REPLAY_WEBHOOK,
    ROTATE_WEBHOOK_SECRET,
    TEST_WEBHOOK,
    UPDATE_WEBHOOK,
)
from tukupay.sms.messaging.v1 import webhooks_pb2 as pb

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.webhooks_pb2_grpc import WebhookServiceAsyncStub

# A new URL is looked up before it is taken.
_TIMEOUT_S = 15.0
_READ = Call("messaging", timeout_s=_TIMEOUT_S)
_WRITE = Call("messaging", "it may or may not have taken effect: list the webhooks to see", _TIMEOUT_S)


class WebhookRoutes(RestRoutes):
    """Speaks to the messaging service."""

    def __init__(self, webhooks: WebhookServiceAsyncStub) -> None:
        self._webhooks = webhooks

    @handles_body(CREATE_WEBHOOK, refuses_key=True)
    async def create(self, request: RestRequest, new: NewWebhook) -> Response:
        """Makes a webhook and answers 201 with it and its secret."""
        made = await request.answer(self._webhooks.CreateWebhook, new.to_request(), _WRITE)
        return json_answer(WebhookWithSecret(webhook=Webhook.of(made.webhook), secret=made.secret), 201)

    @handles(LIST_WEBHOOKS)
    async def list_webhooks(self, request: RestRequest) -> Response:
        """Answers with a bare array, oldest first."""
        question = pb.ListWebhooksRequest(user_id=request.query["userId"])
        pages = request.pages(self._webhooks.ListWebhooks, question, _READ)
        return json_answer([Webhook.of(webhook) async for page in pages for webhook in page.webhooks])

    @handles(GET_WEBHOOK)
    async def show(self, request: RestRequest) -> Response:
        """Answers with one webhook."""
        question = pb.GetWebhookRequest(webhook_id=request.path["webhookId"])
        return json_answer(Webhook.of((await request.answer(self._webhooks.GetWebhook, question, _READ)).webhook))

    @handles_body(UPDATE_WEBHOOK)
    async def change(self, request: RestRequest, change: WebhookChange) -> Response:
        """Changes a webhook and answers with it."""
        question = change.to_request(request.path["webhookId"])
        return json_answer(Webhook.of((await request.answer(self._webhooks.UpdateWebhook, question, _WRITE)).webhook))

    @handles(DELETE_WEBHOOK)
    async def delete(self, request: RestRequest) -> Response:
        """Deletes a webhook and answers 204."""
        question = pb.DeleteWebhookRequest(webhook_id=request.path["webhookId"])
        await request.answer(self._webhooks.DeleteWebhook, question, _WRITE)
        return Response(status_code=204)

    @handles_body(ROTATE_WEBHOOK_SECRET, refuses_key=True)
    async def rotate(self, request: RestRequest, rotation: SecretRotation) -> Response:
        """Answers with a new secret."""
        question = rotation.to_request(request.path["webhookId"])
        made = await request.answer(self._webhooks.RotateWebhookSecret, question, _WRITE)
        return json_answer(WebhookWithSecret(webhook=Webhook.of(made.webhook), secret=made.secret))

    @handles(TEST_WEBHOOK, refuses_key=True)
    async def test(self, request: RestRequest) -> Response:
        """Posts a test event and answers 202 with its delivery."""
        question = pb.TestWebhookRequest(webhook_id=request.path["webhookId"])
        made = await request.answer(self._webhooks.TestWebhook, question, _WRITE)
        return json_answer(WebhookDelivery.of(made.delivery), 202)

    @handles(LIST_WEBHOOK_DELIVERIES)
    async def deliveries(self, request: RestRequest) -> Response:
        """Answers with a bare array, newest first."""
        question = pb.ListWebhookDeliveriesRequest(
            webhook_id=request.path["webhookId"],
            state=chosen(request.query, "state", STATES, pb.WEBHOOK_DELIVERY_STATE_UNSPECIFIED),
            event=chosen(request.query, "event", EVENTS, pb.WEBHOOK_EVENT_UNSPECIFIED),
            page_size=request.page_size(),
            page_token=request.page_token(),
        )
        page = await request.answer(self._webhooks.ListWebhookDeliveries, question, _READ)
        return request.page([WebhookDelivery.of(one) for one in page.deliveries], page.next_page_token)

    @handles_body(REPLAY_WEBHOOK, refuses_key=True)
    async def replay(self, request: RestRequest, order: ReplayOrder) -> Response:
        """Posts deliveries again and answers 202 with how many."""
        question = order.to_request(request.path["webhookId"])
        made = await request.answer(self._webhooks.ReplayWebhookDeliveries, question, _WRITE)
        return json_answer(Replayed(replayed=made.replayed), 202)
