"""The documented operations of webhooks."""

from __future__ import annotations

from gateway_http.openapi.operation import WRITE_FAILURES, Answer, BodyOperation, Tag
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls
from gateway_http.shared.endpoint_operations import EndpointOperations, example_id
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

_EVENTS = ["sms.delivered", "sms.failed"]
_WEBHOOK: Json = {
    "webhookId": example_id("webhook"),
    "userId": "user123",
    "url": "https://example.com/hooks/sms",
    "events": _EVENTS,
    "description": "order desk",
    "enabled": True,
    "createdAt": "2024-12-15T08:00:00Z",
    "previousSecretUntil": None,
    "disabledReason": None,
    "failingSince": None,
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the Standard Webhooks
_ROTATED: Json = {"webhook": {**_WEBHOOK, "previousSecretUntil": "2024-12-16T08:00:00Z"}, "secret": _SECRET}

_WEBHOOKS = EndpointOperations(
    noun="webhook",
    path="/api/sms/webhooks",
    tag=Tag("Webhooks", "Events, posted to your systems."),
    shape=Webhook,
    example=_WEBHOOK,
    delivery_shape=WebhookDelivery,
)

CREATE_WEBHOOK = _WEBHOOKS.create(
    "From now on the events that it asks for are posted to the URL, signed by the Standard Webhooks scheme with "
    "the secret in the answer. The secret is not shown again.",
    Answer("The webhook and its secret.", WebhookWithSecret, {"made": {"webhook": _WEBHOOK, "secret": _SECRET}}),
    NewWebhook,
    {
        "outcomes": {
            "userId": "user123",
            "url": "https://example.com/hooks/sms",
            "events": _EVENTS,
            "description": "order desk",
        }
    },
    WRITE_FAILURES,
)
LIST_WEBHOOKS = _WEBHOOKS.list_all("All of them, oldest first; an account has at most 20.")
GET_WEBHOOK = _WEBHOOKS.get()
UPDATE_WEBHOOK = _WEBHOOKS.update(WebhookChange, _EVENTS, WRITE_FAILURES)
DELETE_WEBHOOK = _WEBHOOKS.delete("Deletes it with its secrets; deliveries on their way to it are given up.")
ROTATE_WEBHOOK_SECRET = BodyOperation(
    "post",
    _WEBHOOKS.one("/rotate-secret"),
    "rotateWebhookSecret",
    _WEBHOOKS.tag,
    "Make a new secret",
    "Both secrets sign during the overlap, so that you can switch in your own time. The secret is not shown again.",
    access=calls("WebhookService/RotateWebhookSecret"),
    answers={200: Answer("The webhook and its new secret.", WebhookWithSecret, {"rotated": _ROTATED})},
    problems=_WEBHOOKS.problems(WRITE_FAILURES),
    parameters=(_WEBHOOKS.which(),),
    body=SecretRotation,
    body_examples={"aDay": {}, "atOnce": {"overlapSeconds": 0}},
)
TEST_WEBHOOK = _WEBHOOKS.test(
    "Posts an event `webhook.test`, whatever the webhook asks for; its deliveries show what became of it.",
    "evt_0192e4a07c2b7d3e9a51c6f0b8d4e2a4",
)
LIST_WEBHOOK_DELIVERIES = _WEBHOOKS.list_deliveries(
    "List what was posted",
    "What was posted, and what is still to be",
    {"eventId": "evt_0192e4a07c2b7d3e9a51c6f0b8d4e2a3_42", "event": "sms.delivered"},
    STATES,
    EVENTS,
)
REPLAY_WEBHOOK = _WEBHOOKS.replay(
    "Post deliveries again",
    "One delivery, or those of a period: those that failed, and with `includeDelivered` also those that succeeded. "
    "They keep their `webhook-id`, by which a receiver recognises what it already has.",
    "How many are posted again.",
    ReplayOrder,
)
