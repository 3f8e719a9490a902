"""Example bodies of sending many SMS in one request."""

from __future__ import annotations

from gateway_http.openapi.entry_examples import ENTRY_SCHEDULED, ENTRY_SENT
from gateway_http.openapi.problem_examples import Json, problem

_REMINDERS = [
    {
        "userId": "user123",
        "recipientPhoneNumber": number,
        "message": f"Hello {name}, your parcel has arrived.",
        "senderId": "TUKUPAY",
        "messageId": f"parcel-{name}",
    }
    for name, number in (("Amina", "+254712345678"), ("Juma", "+254723456789"))
]
BATCH: Json = {"messages": _REMINDERS}
_BATCH_RESULTS: list[Json] = [
    {
        "index": index,
        "status": "success",
        "httpStatus": 200,
        "replayed": False,
        "outboxEntry": {
            **{name: value for name, value in ENTRY_SENT.items() if name != "customData"},
            **reminder,
            "outboxId": f"outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a{index + 1}",
            "tags": [],
        },
        "message": "SMS sent successfully.",
    }
    for index, reminder in enumerate(_REMINDERS)
]
BATCH_SENT: Json = {
    "status": "success",
    "message": "2 SMS: 2 sent.",
    "summary": {
        "messages": 2,
        "accepted": 2,
        "pending": 0,
        "failed": 0,
        "errors": 0,
        "replayed": 0,
        "totalCost": 1.2,
        "currency": "KES",
        "held": 0.0,
        "charged": 1.2,
        "refunded": 0.0,
    },
    "results": _BATCH_RESULTS,
}
BATCH_SCHEDULED: Json = {
    "status": "success",
    "message": "1 SMS: 1 pending.",
    "summary": {
        **BATCH_SENT["summary"],
        "messages": 1,
        "accepted": 1,
        "pending": 1,
        "totalCost": 0.6,
        "held": 0.6,
        "charged": 0.0,
    },
    "results": [
        {
            "index": 0,
            "status": "success",
            "httpStatus": 202,
            "replayed": False,
            "outboxEntry": ENTRY_SCHEDULED,
            "message": "SMS scheduled for 2024-12-20T12:00:00Z.",
        }
    ],
}
BATCH_WITH_ERROR: Json = {
    "status": "partial",
    "message": "2 SMS: 1 sent, 1 with an error.",
    "summary": {**BATCH_SENT["summary"], "accepted": 1, "errors": 1, "totalCost": 0.6, "charged": 0.6},
    "results": [
        _BATCH_RESULTS[0],
        {
            "index": 1,
            "status": "error",
            "httpStatus": 400,
            "replayed": False,
            "problem": {
                **problem("INVALID_ARGUMENT", 400),
                "detail": "messages[1].recipientPhoneNumber: is not in E.164; write it like +254712345678",
                "errors": [
                    {
                        "field": "messages[1].recipientPhoneNumber",
                        "reason": "INVALID_PHONE_NUMBER",
                        "detail": "is not in E.164; write it like +254712345678",
                    }
                ],
            },
        },
    ],
}
