"""Example bodies of the OpenAPI document. They are what the routes take and give, byte for byte in meaning."""

from __future__ import annotations

from typing import Any

from gateway_http.problem import TYPE_PREFIX
from gateway_http.problem_reasons import REASONS

Json = dict[str, Any]

SPECIFIC_CUSTOMER_COST: Json = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "appId": None,
    "reason": "Custom pricing for high-volume customer",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
}
DEFAULT_CUSTOMER_COST: Json = {
    "level": "DirectCustomer",
    "pricePerSms": 0.8,
    "appId": None,
    "reason": "Default customer cost",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
}
RECORDED_COST: Json = {
    "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "reason": "Custom pricing for high-volume customer",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
    "recordedAt": "2024-12-12T09:30:00.250000Z",
    "revision": 1,
}
CURRENT_SPECIFIC: Json = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "effectiveFrom": "2024-12-13T00:00:00Z",
}
CURRENT_DEFAULT: Json = {
    "level": "DirectCustomer",
    "pricePerSms": 0.8,
    "effectiveFrom": "2024-12-13T00:00:00Z",
}
HISTORY: list[Json] = [
    {
        "costId": "cost001",
        "level": "DirectCustomer",
        "pricePerSms": 0.8,
        "effectiveFrom": "2024-11-01T00:00:00Z",
        "createdBy": "admin123",
    },
    {
        "costId": "cost002",
        "level": "SpecificCustomer",
        "pricePerSms": 0.7,
        "customerId": "cust123",
        "effectiveFrom": "2024-12-01T00:00:00Z",
        "createdBy": "user456",
    },
]
SEND: Json = {
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your OTP is 123456. Please use this code to verify your account.",
    "senderId": "TUKUPAY",
    "messageName": "OTP Verification",
    "messageId": "msg123",
    "scheduleTimestamp": "2024-12-20T12:00:00Z",
    "priority": "normal",
    "tags": ["notification", "OTP"],
    "customData": {"purpose": "Account Verification", "linkedTransactionId": "txn789"},
}
SEND_SHORT: Json = {
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your parcel has arrived.",
    "senderId": "TUKUPAY",
}
ENTRY_SENT: Json = {
    "outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your OTP is 123456. Please use this code to verify your account.",
    "senderId": "TUKUPAY",
    "messageId": "msg123",
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
}
ENTRY_SCHEDULED: Json = {
    **ENTRY_SENT,
    "status": "pending",
    "timestamps": {"createdAt": "2024-12-15T08:00:00Z", "sentAt": None, "lastAttemptAt": None},
    "deliveryState": "scheduled",
}
ENTRY_REFUSED: Json = {
    **ENTRY_SENT,
    "status": "failed",
    "timestamps": {
        "createdAt": "2024-12-15T08:00:00Z",
        "sentAt": None,
        "lastAttemptAt": "2024-12-15T08:00:00.120000Z",
    },
    "errorDetails": "the carrier does not know the recipient; check the number",
    "errorCode": "INVALID_RECIPIENT",
    "deliveryState": "refused",
}
SENT: Json = {"status": "success", "outboxEntry": ENTRY_SENT, "message": "SMS sent successfully."}
REFUSED: Json = {
    "status": "failed",
    "outboxEntry": ENTRY_REFUSED,
    "message": "SMS was not sent: the carrier does not know the recipient; check the number.",
}
SCHEDULED: Json = {
    "status": "success",
    "outboxEntry": ENTRY_SCHEDULED,
    "message": "SMS scheduled for 2024-12-20T12:00:00Z.",
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
    },
}

_DETAILS: dict[str, tuple[str, list[Json]]] = {
    "INVALID_ARGUMENT": (
        "recipientPhoneNumber: is not in E.164; write it like +254712345678",
        [
            {
                "field": "recipientPhoneNumber",
                "reason": "INVALID_PHONE_NUMBER",
                "detail": "is not in E.164; write it like +254712345678",
            }
        ],
    ),
    "MALFORMED_JSON": ("the body is not JSON: invalid character at line 2, column 13 (byte 14)", []),
}


def problem(reason: str, status: int) -> Json:
    """An example of a problem document."""
    known = REASONS[reason]
    detail, errors = _DETAILS.get(reason, (known.meaning, []))
    return {
        "type": TYPE_PREFIX + reason,
        "title": known.title,
        "status": status,
        "detail": detail,
        "reason": reason,
        "errors": errors,
        "requestId": "5f0c2a9e7b1d4c3f8a6e0b12",
    }
