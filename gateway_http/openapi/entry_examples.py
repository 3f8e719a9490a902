"""Example outbox entries, which answers of several nouns carry."""

from __future__ import annotations

from gateway_http.openapi.problem_examples import Json

CHARGED: Json = {"state": "charged", "held": 0.0, "charged": 0.6, "refunded": 0.0}

HELD: Json = {"state": "held", "held": 0.6, "charged": 0.0, "refunded": 0.0}

RELEASED: Json = {"state": "released", "held": 0.0, "charged": 0.0, "refunded": 0.0}

ENTRY_SENT: Json = {
    "outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your OTP is 123456. Please use this code to verify your account.",
    "senderId": "TUKUPAY",
    "messageId": "docs-otp-1",
    "smsUnitsUsed": 1,
    "costPerUnit": 0.6,
    "totalCost": 0.6,
    "status": "sent",
    "timestamps": {
        "createdAt": "2024-12-15T08:00:00Z",
        "sentAt": "2024-12-15T08:01:00Z",
        "lastAttemptAt": "2024-12-15T08:00:59Z",
    },
    "retryCount": 0,
    "tags": ["notification", "OTP"],
    "customData": {"purpose": "Account Verification", "linkedTransactionId": "txn789"},
    "deliveryState": "accepted",
    "billing": CHARGED,
}

ENTRY_SCHEDULED: Json = {
    **ENTRY_SENT,
    "status": "pending",
    "timestamps": {"createdAt": "2024-12-15T08:00:00Z", "sentAt": None, "lastAttemptAt": None},
    "deliveryState": "scheduled",
    "billing": HELD,
}

ENTRY_REFUSED: Json = {
    **ENTRY_SENT,
    "status": "failed",
    "timestamps": {
        "createdAt": "2024-12-15T08:00:00Z",
        "sentAt": None,
        "lastAttemptAt": "2024-12-15T08:00:00.120000Z",
    },
    "errorDetails": "The carrier does not accept this phone number. Check the number and send a new message to the "
    "right one.",
    "errorCode": "INVALID_RECIPIENT",
    "errorAdvice": "Check the number and send a new message to the right one.",
    "resendable": "never",
    "deliveryState": "refused",
    "billing": RELEASED,
}
