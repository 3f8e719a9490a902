"""The documented operations of sending and of the outbox."""

from __future__ import annotations

from gateway_http.openapi import examples
from gateway_http.openapi.operation import (
    Answer,
    Operation,
    header_parameter,
    path_parameter,
    query_parameter,
    reference,
)
from gateway_http.outbox.outbox_event_routes import EVENTS, MAX_EVENTS
from gateway_http.outbox.outbox_routes import CANCEL, ENTRY, MAX_ENTRIES, OUTBOX, RESEND
from gateway_http.shared import idempotency_key, preferred_wait
from gateway_http.sms import batch_examples, batch_routes, send_sms_route
from gateway_http.sms.quote_routes import QUOTE
from gateway_http.system.error_code_routes import ERROR_CODES

SENDING = "Sending"
OUTBOX_TAG = "Outbox"

_OUTBOX_ID = path_parameter("outboxId", "The entry's identifier.", "outbox_0192e4a07c2b7d3e9a51c6f0b8d4e2a1")
_READ_DOWN = {503: ["MESSAGING_UNAVAILABLE", "DATABASE_UNAVAILABLE"], 504: ["MESSAGING_TIMEOUT"]}
_WRITE_DOWN = {
    503: ["MESSAGING_UNAVAILABLE", "MESSAGING_INTERRUPTED", "DATABASE_UNAVAILABLE"],
    504: ["MESSAGING_TIMEOUT"],
}

_PREFER = header_parameter(
    preferred_wait.NAME,
    "`wait=` and whole seconds: how long you wait for the carrier's answer, if that is less than the gateway does "
    "(5 s). Give it when your client's time-out is shorter: a message that is undecided then comes back `pending` "
    "instead of being lost to the time-out.",
    {"type": "string", "examples": ["wait=2"]},
)

_KEY = header_parameter(
    idempotency_key.NAME,
    "Your name for this request, 1 to 128 printable characters; for SMS without a `messageId`.",
    {"type": "string", "minLength": 1, "maxLength": 128},
)

OPERATIONS = (
    Operation(
        "post",
        send_sms_route.PATH,
        "sendSms",
        SENDING,
        "Send a single SMS",
        "Prices, records and sends one SMS, and waits for the carrier's answer. **200** when the carrier accepted "
        "it (`success`) or refused it (`failed`): the entry exists either way. **202** when it is scheduled, queued "
        "or the carrier has not decided: look at the entry later. Give a `messageId`, or the header "
        "`Idempotency-Key` from which it is made, and repeating the request is always safe: it answers with the "
        "stored entry and the header `Idempotent-Replay: true`.",
        answers={
            200: Answer(
                "Sent, or refused by the carrier.",
                "SendSmsAnswer",
                {"sent": examples.SENT, "failed": examples.REFUSED},
                headers=("Idempotent-Replay",),
            ),
            202: Answer(
                "Recorded and pending.",
                "SendSmsAnswer",
                {"scheduled": examples.SCHEDULED},
                headers=("Idempotent-Replay",),
            ),
        },
        problems={
            402: ["INSUFFICIENT_FUNDS"],
            404: ["ACCOUNT_NOT_FOUND"],
            409: [
                "MESSAGE_ID_REUSED",
                "NO_PRICE",
                "ACCOUNT_NOT_ACTIVE",
                "RECIPIENT_OPTED_OUT",
                "DESTINATION_NOT_ALLOWED",
            ],
            429: ["OVERLOADED", "RATE_LIMIT_REACHED", "RECIPIENT_LIMIT_REACHED", "DAILY_SPEND_LIMIT_REACHED"],
            503: [
                "MESSAGING_UNAVAILABLE",
                "MESSAGING_INTERRUPTED",
                "PRICING_UNAVAILABLE",
                "CARRIER_UNAVAILABLE",
                "DATABASE_UNAVAILABLE",
            ],
            504: ["MESSAGING_TIMEOUT"],
        },
        parameters=(_PREFER, _KEY),
        body="NewSms",
        body_examples={"everyField": examples.SEND, "shortest": examples.SEND_SHORT, "wantedUntil": examples.SEND_OTP},
    ),
    Operation(
        "post",
        batch_routes.PATH,
        "sendSmsBatch",
        SENDING,
        "Send up to 1,000 SMS",
        "Sends each SMS as `POST /api/sms/send` does, and answers with a result for each, in their order. One at fault "
        "fails alone. The request waits for the carrier's answers as long as a single send; what is undecided then "
        "comes back `pending` and goes on by itself.\n\n"
        "**200** when every SMS is recorded and decided, **202** when every one is recorded and some are pending, "
        "**207** when at least one has a `problem`: look at each. A problem of the request as a whole says that no SMS "
        "was recorded, or that this is open.\n\n"
        "Repeating is always safe: each SMS needs a `messageId`, or the request an `Idempotency-Key`, from which the "
        "SMS without one get theirs by their position. After a time-out or a 5xx, repeat the same request: what was "
        "recorded is `replayed` and not sent again. With 207, correct or wait as the problems say, and repeat all of "
        "it.",
        answers={
            200: Answer("Every SMS was recorded and decided.", "BatchAnswer", {"sent": batch_examples.BATCH_SENT}),
            202: Answer(
                "Every SMS was recorded, some are pending.",
                "BatchAnswer",
                {"scheduled": batch_examples.BATCH_SCHEDULED},
            ),
            207: Answer(
                "Some SMS, or all, have a problem. `Retry-After` when repeating makes sense.",
                "BatchAnswer",
                {"oneAtFault": batch_examples.BATCH_WITH_ERROR},
                headers=("Retry-After",),
            ),
        },
        problems={
            429: ["OVERLOADED", "RATE_LIMIT_REACHED", "RECIPIENT_LIMIT_REACHED", "DAILY_SPEND_LIMIT_REACHED"],
            503: ["MESSAGING_UNAVAILABLE", "MESSAGING_INTERRUPTED", "DATABASE_UNAVAILABLE"],
            504: ["MESSAGING_TIMEOUT"],
        },
        parameters=(
            _PREFER,
            _KEY,
        ),
        body="NewBatch",
        body_examples={"two": batch_examples.BATCH},
    ),
    Operation(
        "post",
        QUOTE,
        "quoteSms",
        SENDING,
        "Quote an SMS",
        "Says what a message would take and cost, how it would be cut, and, when a character forces it into UCS-2, "
        "which one and what the nearest GSM-7 text would save. Nothing is stored, sent or charged.",
        answers={
            200: Answer(
                "The quote.", "Quote", {"withAdvice": examples.QUOTE_WITH_ADVICE, "gsm7": examples.QUOTE_IN_GSM7}
            )
        },
        problems={
            409: ["NO_PRICE", "DESTINATION_NOT_ALLOWED"],
            429: ["OVERLOADED", "RATE_LIMIT_REACHED", "RECIPIENT_LIMIT_REACHED", "DAILY_SPEND_LIMIT_REACHED"],
            503: ["MESSAGING_UNAVAILABLE", "PRICING_UNAVAILABLE"],
            504: ["MESSAGING_TIMEOUT"],
        },
        body="NewQuote",
        body_examples={"curlyQuote": examples.QUOTE, "everyField": examples.QUOTE_LONG},
    ),
    Operation(
        "post",
        RESEND,
        "resendSms",
        OUTBOX_TAG,
        "Resend a failed SMS",
        "Sends a failed entry again: a new attempt on the same record at its frozen price, at most as often as "
        "configured (3 times unless set). The codes are those of sending.",
        answers={
            200: Answer("Resent, or refused again.", "UpdateAnswer", {"resent": examples.RESENT}),
            202: Answer("Accepted and pending.", "UpdateAnswer", {"queued": examples.RESEND_QUEUED}),
        },
        problems={
            402: ["INSUFFICIENT_FUNDS"],
            404: ["OUTBOX_ENTRY_NOT_FOUND"],
            409: [
                "NOT_FAILED",
                "RETRY_LIMIT_REACHED",
                "CANCELLED",
                "VALIDITY_OVER",
                "ACCOUNT_NOT_ACTIVE",
                "RECIPIENT_OPTED_OUT",
                "DESTINATION_NOT_ALLOWED",
            ],
            429: ["OVERLOADED", "RATE_LIMIT_REACHED", "RECIPIENT_LIMIT_REACHED", "DAILY_SPEND_LIMIT_REACHED"],
            503: [*_WRITE_DOWN[503], "CARRIER_UNAVAILABLE"],
            504: _WRITE_DOWN[504],
        },
        parameters=(_PREFER,),
        body="OutboxReference",
        body_examples={"entry": examples.RESEND},
    ),
    Operation(
        "get",
        OUTBOX,
        "listOutboxEntries",
        OUTBOX_TAG,
        "List the outbox of an account",
        "The entries of one account, newest first. Follow the `Link` header for the next page.",
        answers={
            200: Answer(
                "The entries, newest first.",
                {"type": "array", "items": reference("OutboxEntry")},
                {"entries": [examples.ENTRY_SENT]},
                headers=("Link",),
            )
        },
        problems=_READ_DOWN,
        parameters=(
            query_parameter(
                "userId", "The account.", {"type": "string", "minLength": 1, "maxLength": 64}, required=True
            ),
            query_parameter("status", "Only entries of this status.", {"enum": ["pending", "sent", "failed"]}),
            query_parameter("tag", "Only entries with this tag.", {"type": "string", "minLength": 1, "maxLength": 50}),
            query_parameter(
                "limit",
                "Entries a page; 50 unless given.",
                {"type": "integer", "minimum": 1, "maximum": MAX_ENTRIES},
            ),
            query_parameter(
                "pageToken",
                "From the `Link` header of the page before, with the same filters.",
                {"type": "string", "minLength": 1},
            ),
        ),
    ),
    Operation(
        "get",
        ENTRY,
        "getOutboxEntry",
        OUTBOX_TAG,
        "Show an outbox entry",
        "One entry as it stands.",
        answers={200: Answer("The entry.", "OutboxEntry", {"sent": examples.ENTRY_SENT})},
        problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], **_READ_DOWN},
        parameters=(_OUTBOX_ID,),
    ),
    Operation(
        "get",
        EVENTS,
        "listOutboxEvents",
        OUTBOX_TAG,
        "List what happened to an SMS",
        "Every change of one entry's state since it was recorded, oldest first, with its reason. Follow the `Link` "
        "header for the next page.",
        answers={
            200: Answer(
                "The events, oldest first.",
                {"type": "array", "items": reference("OutboxEvent")},
                {"resent": examples.EVENTS},
                headers=("Link",),
            )
        },
        problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], **_READ_DOWN},
        parameters=(
            _OUTBOX_ID,
            query_parameter(
                "limit",
                "Events a page; 50 unless given.",
                {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS},
            ),
            query_parameter(
                "pageToken",
                "From the `Link` header of the page before, of the same entry.",
                {"type": "string", "minLength": 1},
            ),
        ),
    ),
    Operation(
        "get",
        ERROR_CODES,
        "listErrorCodes",
        OUTBOX_TAG,
        "List why an SMS may fail",
        "Every `errorCode` that an entry may carry, with what it means, what to do, and whether a resend makes sense.",
        answers={
            200: Answer(
                "The codes.",
                {"type": "array", "items": reference("ErrorCode")},
                {"one": [examples.ERROR_CODE]},
            )
        },
        problems={503: ["MESSAGING_UNAVAILABLE"], 504: ["MESSAGING_TIMEOUT"]},
    ),
    Operation(
        "post",
        CANCEL,
        "cancelSms",
        OUTBOX_TAG,
        "Cancel an SMS",
        "Stops an entry that was not submitted yet, for instance a scheduled one. It is not charged.",
        answers={200: Answer("Cancelled.", "UpdateAnswer", {"cancelled": examples.CANCELLED})},
        problems={404: ["OUTBOX_ENTRY_NOT_FOUND"], 409: ["NOT_CANCELLABLE"], **_WRITE_DOWN},
        parameters=(_OUTBOX_ID,),
        body="NoFields",
        body_examples={"empty": {}},
        body_required=False,
    ),
)
