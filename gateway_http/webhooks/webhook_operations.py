"""The documented operations of webhooks."""

from __future__ import annotations

from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import (
    USER_ID,
    page_parameters,
    path_parameter,
    query_parameter,
)
from gateway_http.openapi.problem_examples import Json
from gateway_http.shared.endpoint_models import Replayed
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

DELIVERIES = "/api/sms/webhooks/{webhookId}/deliveries"
MAX_DELIVERIES = 500
REPLAY = "/api/sms/webhooks/{webhookId}/replay"
ROTATION = "/api/sms/webhooks/{webhookId}/rotate-secret"
TEST = "/api/sms/webhooks/{webhookId}/test"
WEBHOOK = "/api/sms/webhooks/{webhookId}"
WEBHOOKS = "/api/sms/webhooks"

TAG = Tag("Webhooks", "Events, posted to your systems.")

_ID = "webhook_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
_WHICH = path_parameter("webhookId", "The webhook's identifier.", _ID)
_WEBHOOK: Json = {
    "webhookId": _ID,
    "userId": "user123",
    "url": "https://example.com/hooks/sms",
    "events": ["sms.delivered", "sms.failed"],
    "description": "order desk",
    "enabled": True,
    "createdAt": "2024-12-15T08:00:00Z",
    "previousSecretUntil": None,
    "disabledReason": None,
    "failingSince": None,
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the Standard Webhooks
_DELIVERY: Json = {
    "deliveryId": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2",
    "eventId": "evt_0192e4a07c2b7d3e9a51c6f0b8d4e2a3_42",
    "event": "sms.delivered",
    "state": "pending",
    "tries": 1,
    "createdAt": "2024-12-15T08:00:00Z",
    "nextTryAt": "2024-12-15T08:00:05.250000Z",
    "lastTryAt": "2024-12-15T08:00:00.250000Z",
    "lastStatus": 503,
    "lastError": "ANSWERED_WITH_ERROR",
    "replays": 0,
}
_TESTED: Json = {
    **_DELIVERY,
    "eventId": "evt_0192e4a07c2b7d3e9a51c6f0b8d4e2a4",
    "event": "webhook.test",
    "tries": 0,
    "nextTryAt": "2024-12-15T08:00:00Z",
    "lastTryAt": None,
    "lastStatus": None,
    "lastError": None,
}

CREATE_WEBHOOK = BodyOperation(
    "post",
    WEBHOOKS,
    "createWebhook",
    TAG,
    "Make a webhook",
    "From now on the events that it asks for are posted to the URL, signed by the Standard Webhooks scheme with "
    "the secret in the answer. The secret is not shown again.",
    answers={
        201: Answer(
            "The webhook and its secret.", WebhookWithSecret, {"made": {"webhook": _WEBHOOK, "secret": _SECRET}}
        )
    },
    problems={409: ["TOO_MANY_WEBHOOKS"], **WRITE_FAILURES},
    body=NewWebhook,
    body_examples={
        "outcomes": {
            "userId": "user123",
            "url": "https://example.com/hooks/sms",
            "events": ["sms.delivered", "sms.failed"],
            "description": "order desk",
        }
    },
)

LIST_WEBHOOKS = Operation(
    "get",
    WEBHOOKS,
    "listWebhooks",
    TAG,
    "List the webhooks of an account",
    "All of them, oldest first; an account has at most 20.",
    answers={
        200: Answer(
            "The webhooks, oldest first.",
            Many(Webhook),
            {"webhooks": [_WEBHOOK]},
        )
    },
    problems=READ_FAILURES,
    parameters=(USER_ID,),
)

GET_WEBHOOK = Operation(
    "get",
    WEBHOOK,
    "getWebhook",
    TAG,
    "Show a webhook",
    "As it stands, with since when it fails.",
    answers={200: Answer("The webhook.", Webhook, {"webhook": _WEBHOOK})},
    problems={404: ["WEBHOOK_NOT_FOUND"], **READ_FAILURES},
    parameters=(_WHICH,),
)

UPDATE_WEBHOOK = BodyOperation(
    "patch",
    WEBHOOK,
    "updateWebhook",
    TAG,
    "Change a webhook",
    "Changes what is given. What waits goes out at once, under the new terms. While it is disabled, nothing is "
    "recorded for it.",
    answers={200: Answer("The webhook as changed.", Webhook, {"webhook": _WEBHOOK})},
    problems={404: ["WEBHOOK_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_WHICH,),
    body=WebhookChange,
    body_examples={"events": {"events": ["sms.delivered", "sms.failed"]}, "enable": {"enabled": True}},
)

DELETE_WEBHOOK = Operation(
    "delete",
    WEBHOOK,
    "deleteWebhook",
    TAG,
    "Delete a webhook",
    "Deletes it with its secrets; what is on its way to it is given up.",
    answers={204: Answer("It is deleted.", None, {})},
    problems={404: ["WEBHOOK_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_WHICH,),
)

ROTATE_WEBHOOK_SECRET = BodyOperation(
    "post",
    ROTATION,
    "rotateWebhookSecret",
    TAG,
    "Make a new secret",
    "For the overlap both secrets sign, so change yours over at your own time. The secret is not shown again.",
    answers={
        200: Answer(
            "The webhook and its new secret.",
            WebhookWithSecret,
            {
                "rotated": {
                    "webhook": {**_WEBHOOK, "previousSecretUntil": "2024-12-16T08:00:00Z"},
                    "secret": _SECRET,
                }
            },
        )
    },
    problems={404: ["WEBHOOK_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_WHICH,),
    body=SecretRotation,
    body_examples={"aDay": {}, "atOnce": {"overlapSeconds": 0}},
)

TEST_WEBHOOK = Operation(
    "post",
    TEST,
    "testWebhook",
    TAG,
    "Test a webhook",
    "Posts an event `webhook.test`, whatever the webhook asks for; its deliveries tell what became of it.",
    answers={202: Answer("The test, not tried yet.", WebhookDelivery, {"test": _TESTED})},
    problems={404: ["WEBHOOK_NOT_FOUND"], 409: ["WEBHOOK_DISABLED"], **WRITE_FAILURES},
    parameters=(_WHICH,),
)

LIST_WEBHOOK_DELIVERIES = Operation(
    "get",
    DELIVERIES,
    "listWebhookDeliveries",
    TAG,
    "List what was posted",
    "What was and is to be posted, newest first. Follow the `Link` header for the next page.",
    answers={
        200: Answer(
            "The deliveries, newest first.",
            Many(WebhookDelivery),
            {"deliveries": [_DELIVERY]},
            headers=("Link",),
        )
    },
    problems={404: ["WEBHOOK_NOT_FOUND"], **READ_FAILURES},
    parameters=(
        _WHICH,
        query_parameter("state", "Only those in this state.", {"enum": list(STATES)}),
        query_parameter("event", "Only of this event.", {"enum": list(EVENTS)}),
        *page_parameters("Deliveries", MAX_DELIVERIES),
    ),
)

REPLAY_WEBHOOK = BodyOperation(
    "post",
    REPLAY,
    "replayWebhook",
    TAG,
    "Post deliveries again",
    "One delivery, or those of a period: what failed, and with `includeDelivered` also what was taken. They go out "
    "under their old `webhook-id`, by which a receiver knows what it has.",
    answers={202: Answer("How many are posted again.", Replayed, {"replayed": {"replayed": 3}})},
    problems={404: ["WEBHOOK_NOT_FOUND", "WEBHOOK_DELIVERY_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_WHICH,),
    body=ReplayOrder,
    body_examples={
        "one": {"deliveryId": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2"},
        "period": {"from": "2024-12-15T00:00:00Z", "to": "2024-12-16T00:00:00Z"},
    },
)
