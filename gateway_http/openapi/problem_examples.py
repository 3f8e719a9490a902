"""Example problems of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from gateway_http.shared.problem import TYPE_PREFIX
from gateway_http.shared.problem_reasons import REASONS

Json = dict[str, Any]

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
        "requestId": "0192e4a0f3b17c2d8a4be1d7c9f50b36",
        **_MEMBERS.get(reason, {}),
    }
