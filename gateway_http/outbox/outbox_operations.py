"""The documented operations of the outbox."""

from __future__ import annotations

from gateway_http.openapi import entry_examples
from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import PREFER, USER_ID, page_parameters, path_parameter, query_parameter
from gateway_http.openapi.route_access import calls
from gateway_http.outbox import outbox_examples
from gateway_http.outbox.outbox_event_models import OutboxEvent
from gateway_http.outbox.outbox_models import ErrorCode, NoFields, OutboxReference, UpdateAnswer
from gateway_http.shared.outbox_entry import OutboxEntry

TAG = Tag("Outbox", "What became of every SMS.")
_OUTBOX_ID = path_parameter("outboxId", "The entry's identifier.", "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1")
_READS = {**READ_FAILURES, 503: [*READ_FAILURES[503], "KEYS_UNAVAILABLE"]}

RESEND_SMS = BodyOperation(
    "post",
    "/api/sms/outbox/resend",
    "resendSms",
    TAG,
    "Resend a failed SMS",
    "Sends a failed entry again: a new attempt on the same record at its frozen price, at most as often as "
    "configured (3 times unless set). The codes are those of sending.",
    access=calls("MessagingService/ResendSms"),
    answers={
        200: Answer("Resent, or refused again.", UpdateAnswer, {"resent": outbox_examples.RESENT}),
        202: Answer("Accepted and pending.", UpdateAnswer, {"queued": outbox_examples.RESEND_QUEUED}),
    },
    problems={
        402: ["INSUFFICIENT_FUNDS"],
        404: ["OUTBOX_ENTRY_NOT_FOUND"],
        409: [
            "NOT_FAILED",
            "RETRY_LIMIT_REACHED",
            "CANCELLED",
            "VALIDITY_OVER",
            "TEXT_ERASED",
            "ACCOUNT_NOT_ACTIVE",
            "RECIPIENT_OPTED_OUT",
            "DESTINATION_NOT_ALLOWED",
            "NO_TEST_CARRIER",
        ],
        429: [
            "OVERLOADED",
            "RATE_LIMIT_REACHED",
            "RECIPIENT_LIMIT_REACHED",
            "DAILY_SPEND_LIMIT_REACHED",
            "KEY_RATE_LIMIT_REACHED",
            "KEY_DAILY_SPEND_LIMIT_REACHED",
            "PUMPING_SUSPECTED",
        ],
        503: [*WRITE_FAILURES[503], "CARRIER_UNAVAILABLE", "KEYS_UNAVAILABLE"],
        504: WRITE_FAILURES[504],
    },
    parameters=(PREFER,),
    body=OutboxReference,
    body_examples={"entry": outbox_examples.RESEND},
)


LIST_OUTBOX_ENTRIES = Operation(
    "get",
    "/api/sms/outbox",
    "listOutboxEntries",
    TAG,
    "List the outbox of an account",
    "The entries of one account, newest first. Follow the `Link` header for the next page.",
    access=calls("MessagingService/ListOutboxEntries"),
    answers={
        200: Answer(
            "The entries, newest first.",
            Many(OutboxEntry),
            {"entries": [entry_examples.ENTRY_SENT]},
            headers=("Link",),
        )
    },
    problems=_READS,
    parameters=(
        USER_ID,
        query_parameter("status", "Only entries of this status.", {"enum": ["pending", "sent", "failed"]}),
        query_parameter("tag", "Only entries with this tag.", {"type": "string", "minLength": 1, "maxLength": 50}),
        *page_parameters("Entries", 500),
    ),
)


GET_OUTBOX_ENTRY = Operation(
    "get",
    "/api/sms/outbox/{outboxId}",
    "getOutboxEntry",
    TAG,
    "Show an outbox entry",
    "One entry as it stands.",
    access=calls("MessagingService/GetOutboxEntry"),
    answers={200: Answer("The entry.", OutboxEntry, {"sent": entry_examples.ENTRY_SENT})},
    problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], **_READS},
    parameters=(_OUTBOX_ID,),
)


LIST_OUTBOX_EVENTS = Operation(
    "get",
    "/api/sms/outbox/{outboxId}/events",
    "listOutboxEvents",
    TAG,
    "List what happened to an SMS",
    "Every change of one entry's state since it was recorded, oldest first, with its reason. Follow the `Link` "
    "header for the next page.",
    access=calls("EventService/ListOutboxEvents"),
    answers={
        200: Answer(
            "The events, oldest first.",
            Many(OutboxEvent),
            {"resent": outbox_examples.EVENTS},
            headers=("Link",),
        )
    },
    problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], **_READS},
    parameters=(
        _OUTBOX_ID,
        *page_parameters("Events", 500, same="of the same entry"),
    ),
)


LIST_ERROR_CODES = Operation(
    "get",
    "/api/sms/error-codes",
    "listErrorCodes",
    TAG,
    "List why an SMS may fail",
    "Every `errorCode` that an entry may carry, with what it means, what to do, and whether a resend makes sense.",
    access=calls("MessagingService/ListErrorCodes"),
    answers={
        200: Answer(
            "The codes.",
            Many(ErrorCode),
            {"one": [outbox_examples.ERROR_CODE]},
        )
    },
    problems={503: ["MESSAGING_UNAVAILABLE"], 504: ["MESSAGING_TIMEOUT"]},
)


CANCEL_SMS = BodyOperation(
    "post",
    "/api/sms/outbox/{outboxId}/cancel",
    "cancelSms",
    TAG,
    "Cancel an SMS",
    "Stops an entry that was not submitted yet, for instance a scheduled one. It is not charged.",
    access=calls("MessagingService/CancelSms"),
    answers={200: Answer("Cancelled.", UpdateAnswer, {"cancelled": outbox_examples.CANCELLED})},
    problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], 409: ["NOT_CANCELLABLE"], **WRITE_FAILURES},
    parameters=(_OUTBOX_ID,),
    body=NoFields,
    body_examples={"empty": {}},
    body_required=False,
)
