"""The documented operations of the suppression list."""

from __future__ import annotations

from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import (
    ONE_LINE,
    page_parameters,
    path_parameter,
    query_parameter,
)
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls
from gateway_http.suppressions.suppression_models import (
    SOURCES,
    AddedSuppression,
    NewSuppression,
    Suppression,
    SuppressionAnswer,
    SuppressionQuestion,
)

TAG = Tag("Opt-outs", "Recipients who opted out, and from whom.")

_ID = "suppression_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"

_STOPPED: Json = {
    "suppressionId": _ID,
    "phoneNumber": "+254712345678",
    "senderId": "22141",
    "userId": None,
    "source": "stop_keyword",
    "reason": "the phone wrote a keyword",
    "createdBy": "smpp",
    "createdAt": "2024-12-15T08:00:00Z",
    "ending": None,
}
_ASKED: Json = {
    **_STOPPED,
    "senderId": "TUKUPAY",
    "userId": "user123",
    "source": "api",
    "reason": "unsubscribed on the web page",
    "createdBy": "shop",
}
_ENDED: Json = {
    **_ASKED,
    "ending": {
        "endedAt": "2024-12-20T08:00:00Z",
        "source": "api",
        "endedBy": "shop",
        "reason": "subscribed again",
    },
}
_NEW: Json = {
    "phoneNumber": "+254712345678",
    "senderId": "TUKUPAY",
    "userId": "user123",
    "reason": "unsubscribed on the web page",
    "createdBy": "shop",
}
_QUESTION: Json = {"phoneNumber": "+254712345678", "senderId": "22141", "userId": "user123"}

ADD_SUPPRESSION = BodyOperation(
    "post",
    "/api/sms/suppressions",
    "addSuppression",
    TAG,
    "Suppress a recipient",
    "Stops messages to a phone from one sender id or all, of one account or all: from now on they are refused "
    "with `RECIPIENT_OPTED_OUT`, and messages waiting for the phone are cancelled and cost nothing. **201** when the "
    "entry is new, **200** when it existed already, so repeating the request is safe.",
    access=calls("SuppressionService/AddSuppression"),
    answers={
        201: Answer("The entry, new.", AddedSuppression, {"added": {"suppression": _ASKED, "cancelledMessages": 1}}),
        200: Answer(
            "The entry that existed already.",
            AddedSuppression,
            {"known": {"suppression": _ASKED, "cancelledMessages": 0}},
        ),
    },
    problems=WRITE_FAILURES,
    body=NewSuppression,
    body_examples={
        "oneSender": _NEW,
        "everything": {"phoneNumber": "+254712345678", "reason": "complained", "createdBy": "support"},
    },
)

LIST_SUPPRESSIONS = Operation(
    "get",
    "/api/sms/suppressions",
    "listSuppressions",
    TAG,
    "List the recipients who opted out",
    "The entries, newest first, of phones that wrote STOP and of operators and apps. Follow the `Link` header for "
    "the next page. To look up one phone, use the check: a phone number does not belong in a URL.",
    access=calls("SuppressionService/ListSuppressions"),
    answers={
        200: Answer(
            "The entries, newest first.",
            Many(Suppression),
            {"entries": [_STOPPED]},
            headers=("Link",),
        )
    },
    problems=READ_FAILURES,
    parameters=(
        query_parameter("userId", "Only entries for just this account.", ONE_LINE),
        query_parameter(
            "senderId", "Only entries for just this sender id.", {"type": "string", "minLength": 1, "maxLength": 16}
        ),
        query_parameter("source", "Only entries from this source.", {"enum": list(SOURCES)}),
        query_parameter("includeEnded", "`true` to list entries that ended, too.", {"enum": ["true", "false"]}),
        *page_parameters("Entries", 500),
    ),
)

CHECK_SUPPRESSION = BodyOperation(
    "post",
    "/api/sms/suppressions/check",
    "checkSuppression",
    TAG,
    "Check a recipient",
    "Says whether a message would be refused, and which entries stop it. Changes nothing. Messages with a tag that "
    "the operator exempts are sent anyway.",
    access=calls("SuppressionService/CheckSuppression"),
    answers={
        200: Answer(
            "The entries that stop it.",
            SuppressionAnswer,
            {
                "stopped": {"suppressed": True, "suppressions": [_STOPPED]},
                "free": {"suppressed": False, "suppressions": []},
            },
        )
    },
    problems=READ_FAILURES,
    body=SuppressionQuestion,
    body_examples={"message": _QUESTION},
)

END_SUPPRESSION = Operation(
    "delete",
    "/api/sms/suppressions/{suppressionId}",
    "endSuppression",
    TAG,
    "End an entry",
    "Ends one entry; others that cover the phone still apply. It is kept, with who ended it and why. Ending an "
    "entry again answers with how it ended, so repeating the request is safe.",
    access=calls("SuppressionService/RemoveSuppression"),
    answers={200: Answer("The entry, ended.", Suppression, {"ended": _ENDED})},
    problems={404: ["SUPPRESSION_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(
        path_parameter("suppressionId", "The entry's identifier.", _ID),
        query_parameter("reason", "Why.", {"type": "string", "minLength": 1, "maxLength": 200}, required=True),
        query_parameter("endedBy", "Who asks.", ONE_LINE, required=True),
    ),
)
