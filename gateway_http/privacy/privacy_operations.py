"""The documented operations of privacy."""

from __future__ import annotations

from gateway_http.openapi.operation import WRITE_FAILURES, Answer, BodyOperation, Tag
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls
from gateway_http.privacy.privacy_models import Erasure, NewErasure

TAG = Tag("Privacy", "The erasure of phones.")

_ERASED: Json = {
    "messages": 12,
    "receipts": 12,
    "inboundMessages": 1,
    "counts": 0,
    "suppressions": 1,
    "openMessages": 0,
    "waiting": 0,
}

ERASE_PHONE = BodyOperation(
    "post",
    "/api/privacy/erasures",
    "erasePhone",
    TAG,
    "Erase a phone",
    "Erases a phone everywhere but in its opt-outs, where a keyed hash stands for it: they hold all the same. Costs, "
    "units, ids and times stay. Messages that are open are sent or end as they would have, and are counted in "
    "`openMessages`: repeat the request once they have ended. Repeating it is harmless.",
    access=calls("PrivacyService/ErasePhone"),
    answers={
        200: Answer(
            "What was erased, and what waits.",
            Erasure,
            {"erased": _ERASED, "open": {**_ERASED, "messages": 11, "openMessages": 1}},
        )
    },
    problems={
        409: ["KEYS_NOT_SET", "CONVERSION_UNFINISHED"],
        **WRITE_FAILURES,
        503: [*WRITE_FAILURES[503], "KEYS_UNAVAILABLE"],
    },
    body=NewErasure,
    body_examples={"phone": {"phoneNumber": "+254712345678"}},
)
