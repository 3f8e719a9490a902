"""Example bodies of the outbox: what the routes take and give, byte for byte in meaning."""

from __future__ import annotations

from gateway_http.openapi.entry_examples import HELD, RELEASED
from gateway_http.openapi.problem_examples import Json

EVENTS: list[Json] = [
    {
        "at": "2024-12-15T08:00:00Z",
        "attempt": 1,
        "fromState": None,
        "toState": "submitting",
        "status": "pending",
    },
    {
        "at": "2024-12-15T08:00:00.120000Z",
        "attempt": 1,
        "fromState": "submitting",
        "toState": "refused",
        "status": "failed",
        "carrier": "safaricom",
        "errorCode": "INVALID_RECIPIENT",
        "errorDetails": "the carrier does not know the recipient; check the number",
    },
    {
        "at": "2024-12-15T08:05:00Z",
        "attempt": 2,
        "fromState": "refused",
        "toState": "ready",
        "status": "pending",
    },
]

ERROR_CODE: Json = {
    "errorCode": "INVALID_RECIPIENT",
    "meaning": "The carrier does not accept this phone number.",
    "errorAdvice": "Check the number and send a new message to the right one.",
    "resendable": "never",
}

RESEND: Json = {"outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"}

RESENT: Json = {
    "status": "success",
    "message": "SMS resent successfully.",
    "updatedOutboxEntry": {
        "outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
        "status": "sent",
        "timestamps": {
            "createdAt": "2024-12-15T08:00:00Z",
            "sentAt": "2024-12-15T08:05:00Z",
            "lastAttemptAt": "2024-12-15T08:05:00Z",
        },
        "retryCount": 1,
        "deliveryState": "accepted",
        "costPerUnit": 0.6,
        "totalCost": 0.6,
        "billing": {"state": "charged", "held": 0.0, "charged": 1.2, "refunded": 0.0},
    },
}

RESEND_QUEUED: Json = {
    "status": "success",
    "message": "SMS queued for sending.",
    "updatedOutboxEntry": {
        "outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
        "status": "pending",
        "timestamps": {
            "createdAt": "2024-12-15T08:00:00Z",
            "sentAt": None,
            "lastAttemptAt": "2024-12-15T08:05:00Z",
        },
        "retryCount": 1,
        "deliveryState": "ready",
        "costPerUnit": 0.6,
        "totalCost": 0.6,
        "billing": HELD,
    },
}

CANCELLED: Json = {
    "status": "success",
    "message": "SMS cancelled.",
    "updatedOutboxEntry": {
        "outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
        "status": "failed",
        "timestamps": {"createdAt": "2024-12-15T08:00:00Z", "sentAt": None, "lastAttemptAt": None},
        "retryCount": 0,
        "deliveryState": "cancelled",
        "costPerUnit": 0.6,
        "totalCost": 0.6,
        "billing": RELEASED,
    },
}
