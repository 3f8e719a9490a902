"""The documented operations of feedback."""

from __future__ import annotations

from gateway_http.feedback.feedback_models import Conversion, FeedbackAnswer, NewFeedback
from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Operation, Tag
from gateway_http.openapi.parameters import USER_ID, path_parameter, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls

TAG = Tag("Feedback", "Which codes came back, and what that says of the numbers they were sent to.")

_ID = "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
_COUNTS: Json = {"sent": 7, "refused": 23, "verified": 0, "notVerified": 6, "conversion": 0.0}

RECORD_FEEDBACK = BodyOperation(
    "post",
    "/api/sms/outbox/{outboxId}/feedback",
    "recordFeedback",
    TAG,
    "Say whether a code came back",
    "Counts toward the conversion of the block of numbers that the SMS went to. The same again changes nothing, "
    "another outcome takes its place. SMS of the last 7 days.",
    access=calls("FeedbackService/RecordFeedback"),
    answers={
        200: Answer("On record.", FeedbackAnswer, {"verified": {"outboxId": _ID, "outcome": "verified"}}),
    },
    problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], 409: ["FEEDBACK_TOO_LATE"], **WRITE_FAILURES},
    parameters=(path_parameter("outboxId", "The entry's identifier.", _ID),),
    body=NewFeedback,
    body_examples={"verified": {"outcome": "verified"}},
)

GET_CONVERSION = Operation(
    "get",
    "/api/sms/conversion",
    "getConversion",
    TAG,
    "Report conversion by block of numbers",
    "What an account sent to each block of numbers in the last hours, and how many of the codes came back. A block is "
    "the thousand numbers that differ in their last 3 digits alone. Users type their codes in; pumped numbers seldom "
    "do.",
    access=calls("FeedbackService/GetConversion"),
    answers={
        200: Answer(
            "The blocks, those that look pumped first.",
            Conversion,
            {
                "pumped": {
                    "userId": "user123",
                    "since": "2024-12-14T09:00:00Z",
                    "total": _COUNTS,
                    "blocks": [{"block": "+254712345", "counts": _COUNTS, "suspectedAt": "2024-12-15T08:00:00Z"}],
                }
            },
        )
    },
    problems=READ_FAILURES,
    parameters=(
        USER_ID,
        query_parameter(
            "hours",
            "How many hours to look back, the present one included.",
            {"type": "integer", "minimum": 1, "maximum": 168, "default": 24},
        ),
        query_parameter("limit", "Most blocks.", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 50}),
    ),
)
