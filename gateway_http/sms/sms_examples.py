"""Example bodies of sends and quotes: what the routes take and give, byte for byte in meaning."""

from __future__ import annotations

from gateway_http.openapi.entry_examples import ENTRY_REFUSED, ENTRY_SCHEDULED, ENTRY_SENT
from gateway_http.openapi.problem_examples import Json

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
