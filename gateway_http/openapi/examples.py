"""Example bodies of the OpenAPI document. They are what the routes take and give, byte for byte in meaning."""

from __future__ import annotations

from typing import Any

from gateway_http.shared.problem import TYPE_PREFIX
from gateway_http.shared.problem_reasons import REASONS

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
OVERRIDDEN_COST: Json = {**RECORDED_COST, "pricePerSms": 0.07, "overriddenGuards": ["RELATIVE_CHANGE"]}
WITHDRAWAL: Json = {"withdrawnBy": "finance2", "reason": "The contract was not signed"}
WITHDRAWN_COST: Json = {
    **RECORDED_COST,
    "withdrawal": {"withdrawnAt": "2024-12-12T16:00:00Z", **WITHDRAWAL},
}
RESOLVED_PRICE: Json = {
    "level": "SpecificCustomer",
    "pricePerSms": 0.7,
    "customerId": "cust123",
    "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "resolvedAt": "2024-12-15T08:00:00Z",
    "validUntil": "2025-01-01T00:00:00Z",
}
EXPLAINED_PRICE: Json = {
    **RESOLVED_PRICE,
    "candidates": [
        {
            "costId": "cost_0192f7c2a41d7e0b8c5e9d3f6a1b2c4d",
            "level": "SpecificCustomer",
            "pricePerSms": 0.65,
            "customerId": "cust123",
            "effectiveFrom": "2025-01-01T00:00:00Z",
            "revision": 1,
            "recordedAt": "2024-12-14T10:00:00Z",
            "verdict": "notYetEffective",
            "explanation": "takes effect on 2025-01-01 UTC",
        },
        {
            "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
            "level": "SpecificCustomer",
            "pricePerSms": 0.7,
            "customerId": "cust123",
            "effectiveFrom": "2024-12-13T00:00:00Z",
            "revision": 1,
            "recordedAt": "2024-12-12T09:30:00.250000Z",
            "verdict": "won",
            "explanation": "applies: SpecificCustomer cust123 is the strongest level with a price in effect, and this "
            "is its newest row, in effect since 2024-12-13 UTC",
        },
        {
            "costId": "cost_0192d1f05b3c7a6e9f4d8c2b7a1e0d93",
            "level": "DirectCustomer",
            "pricePerSms": 0.8,
            "effectiveFrom": "2024-11-01T00:00:00Z",
            "revision": 1,
            "recordedAt": "2024-10-30T07:00:00Z",
            "verdict": "weakerLevel",
            "explanation": "is in effect, but SpecificCustomer cust123 comes before DirectCustomer and has a price in "
            "effect",
        },
    ],
}
QUOTE_LONG: Json = {
    "userId": "user123",
    "message": "Your parcel has arrived.",
    "recipientPhoneNumber": "+254712345678",
    "senderId": "TUKUPAY",
    "scheduleTimestamp": "2024-12-20T12:00:00+03:00",
}
QUOTE_IN_GSM7: Json = {
    "encoding": "GSM-7",
    "smsUnits": 1,
    "parts": ["Your parcel has arrived."],
    "costPerUnit": 0.6,
    "totalCost": 0.6,
    "currency": "KES",
    "level": "SpecificCustomer",
    "costId": "cost_0192e4a07c2b7d3e9a51c6f0b8d4e2a1",
}
_CURLY = "Karibu! Your parcel’s here. Collect it at the Moi Avenue office by Friday, 6 pm."
QUOTE: Json = {"userId": "user123", "message": _CURLY}
QUOTE_WITH_ADVICE: Json = {
    **QUOTE_IN_GSM7,
    "encoding": "UCS-2",
    "smsUnits": 2,
    "parts": [_CURLY[:67], _CURLY[67:]],
    "totalCost": 1.2,
    "advice": {
        "characters": [
            {
                "character": "’",
                "codePoint": "U+2019",
                "name": "RIGHT SINGLE QUOTATION MARK",
                "count": 1,
                "replacement": "'",
            }
        ],
        "text": _CURLY.replace("’", "'"),
        "smsUnits": 1,
        "saving": 0.6,
    },
}
SEND: Json = {
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your OTP is 123456. Please use this code to verify your account.",
    "senderId": "TUKUPAY",
    "messageName": "OTP Verification",
    "messageId": "docs-otp-1",
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
SEND_OTP: Json = {**SEND_SHORT, "message": "Your OTP is 123456.", "expiresAt": "2030-12-15T08:05:00Z"}
_CHARGED: Json = {"state": "charged", "held": 0.0, "charged": 0.6, "refunded": 0.0}
_HELD: Json = {"state": "held", "held": 0.6, "charged": 0.0, "refunded": 0.0}
_RELEASED: Json = {"state": "released", "held": 0.0, "charged": 0.0, "refunded": 0.0}
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
    "billing": _CHARGED,
}
ENTRY_SCHEDULED: Json = {
    **ENTRY_SENT,
    "status": "pending",
    "timestamps": {"createdAt": "2024-12-15T08:00:00Z", "sentAt": None, "lastAttemptAt": None},
    "deliveryState": "scheduled",
    "billing": _HELD,
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
    "billing": _RELEASED,
}
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
SENT: Json = {"status": "success", "outboxEntry": ENTRY_SENT, "message": "SMS sent successfully."}
REFUSED: Json = {
    "status": "failed",
    "outboxEntry": ENTRY_REFUSED,
    "message": "SMS was not sent: The carrier does not accept this phone number. Check the number and send a new "
    "message to the right one.",
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
        "billing": _HELD,
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
        "billing": _RELEASED,
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
    "PRICE_GUARD": (
        "pricePerSms is 7 KES where 0.7 KES is in effect; for the level SpecificCustomer a difference of more than "
        "100% of the smaller is unusual. If this is meant, set overrideGuards: the row then records that it was",
        [
            {
                "field": "pricePerSms",
                "reason": "RELATIVE_CHANGE",
                "detail": "is 7 KES where 0.7 KES is in effect; for the level SpecificCustomer a difference of more "
                "than 100% of the smaller is unusual",
            }
        ],
    ),
    "MESSAGE_ID_REUSED": (
        "this message id stands for the stored entry outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1, which has another text; "
        "nothing was stored or charged for this request. Repeat the earlier request unchanged, or give a new "
        "message id",
        [
            {
                "field": "message",
                "reason": "DIFFERS",
                "detail": "differs from the request that the message id stands for",
            }
        ],
    ),
    "MALFORMED_JSON": ("the body is not JSON: invalid character at line 2, column 13 (byte 14)", []),
}


_MEMBERS: dict[str, Json] = {
    "INSUFFICIENT_FUNDS": {"shortfall": 0.7},
    "MESSAGE_ID_REUSED": {"outboxId": "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"},
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
        **_MEMBERS.get(reason, {}),
    }
