"""The documented operations of sending."""

from __future__ import annotations

from gateway_http.openapi.operation import WRITE_FAILURES, Answer, BodyOperation, Tag
from gateway_http.openapi.parameters import PREFER, key_parameter
from gateway_http.openapi.route_access import calls
from gateway_http.sms import batch_examples, sms_examples
from gateway_http.sms.batch_models import BatchAnswer, NewBatch
from gateway_http.sms.quote_models import NewQuote, Quote
from gateway_http.sms.sms_models import NewSms, SendSmsAnswer

TAG = Tag("Sending", "SMS, one or many: quoted, or priced, recorded and sent.")
_KEY = key_parameter("Your name for this request, 1 to 128 printable characters; for SMS without a `messageId`.")

SEND_SMS = BodyOperation(
    "post",
    "/api/sms/send",
    "sendSms",
    TAG,
    "Send a single SMS",
    "Prices, records and sends one SMS, and waits for the carrier's answer. **200** when the carrier accepted "
    "it (`success`) or refused it (`failed`): the entry exists either way. **202** when it is scheduled, queued "
    "or the carrier has not decided: look at the entry later. Give a `messageId`, or the header "
    "`Idempotency-Key` from which it is made, and repeating the request is always safe: it answers with the "
    "stored entry and the header `Idempotent-Replay: true`.",
    access=calls("MessagingService/SendSmsBatch"),
    answers={
        200: Answer(
            "Sent, or refused by the carrier.",
            SendSmsAnswer,
            {"sent": sms_examples.SENT, "failed": sms_examples.REFUSED},
            headers=("Idempotent-Replay",),
        ),
        202: Answer(
            "Recorded and pending.",
            SendSmsAnswer,
            {"scheduled": sms_examples.SCHEDULED},
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
        503: [
            "MESSAGING_UNAVAILABLE",
            "MESSAGING_INTERRUPTED",
            "PRICING_UNAVAILABLE",
            "CARRIER_UNAVAILABLE",
            "DATABASE_UNAVAILABLE",
            "KEYS_UNAVAILABLE",
        ],
        504: ["MESSAGING_TIMEOUT"],
    },
    parameters=(PREFER, _KEY),
    body=NewSms,
    body_examples={
        "everyField": sms_examples.SEND,
        "shortest": sms_examples.SEND_SHORT,
        "wantedUntil": sms_examples.SEND_OTP,
    },
)


SEND_SMS_BATCH = BodyOperation(
    "post",
    "/api/sms/send-batch",
    "sendSmsBatch",
    TAG,
    "Send up to 1,000 SMS",
    "Sends each SMS as `POST /api/sms/send` does, and answers with a result for each, in their order. An invalid one "
    "fails alone. The request waits for the carrier's answers as long as a single send; what is undecided then "
    "comes back `pending` and continues by itself.\n\n"
    "**200** when every SMS is recorded and decided, **202** when every one is recorded and some are pending, "
    "**207** when at least one has a `problem`: look at each. A problem of the request as a whole says that no SMS "
    "was recorded, or that it is not known.\n\n"
    "Repeating is always safe: each SMS needs a `messageId`, or the request an `Idempotency-Key`, from which the "
    "SMS without one get theirs by their position. After a time-out or a 5xx, repeat the same request: what was "
    "recorded is `replayed` and not sent again. With 207, correct or wait as the problems say, and repeat all of "
    "it.",
    access=calls("MessagingService/SendSmsBatch"),
    answers={
        200: Answer("Every SMS was recorded and decided.", BatchAnswer, {"sent": batch_examples.BATCH_SENT}),
        202: Answer(
            "Every SMS was recorded, some are pending.",
            BatchAnswer,
            {"scheduled": batch_examples.BATCH_SCHEDULED},
        ),
        207: Answer(
            "Some SMS, or all, have a problem. `Retry-After` when repeating makes sense.",
            BatchAnswer,
            {"oneAtFault": batch_examples.BATCH_WITH_ERROR},
            headers=("Retry-After",),
        ),
    },
    problems={
        429: [
            "OVERLOADED",
            "RATE_LIMIT_REACHED",
            "RECIPIENT_LIMIT_REACHED",
            "DAILY_SPEND_LIMIT_REACHED",
            "KEY_RATE_LIMIT_REACHED",
            "KEY_DAILY_SPEND_LIMIT_REACHED",
            "PUMPING_SUSPECTED",
        ],
        **WRITE_FAILURES,
    },
    parameters=(
        PREFER,
        _KEY,
    ),
    body=NewBatch,
    body_examples={"two": batch_examples.BATCH},
)


QUOTE_SMS = BodyOperation(
    "post",
    "/api/sms/quote",
    "quoteSms",
    TAG,
    "Quote an SMS",
    "Says how many units a message takes and what it costs, how it is split, and, when a character forces it into "
    "UCS-2, which one and what the nearest GSM-7 text would save. Nothing is stored, sent or charged.",
    access=calls("MessagingService/QuoteSms"),
    answers={
        200: Answer(
            "The quote.", Quote, {"withAdvice": sms_examples.QUOTE_WITH_ADVICE, "gsm7": sms_examples.QUOTE_IN_GSM7}
        )
    },
    problems={
        409: ["NO_PRICE", "DESTINATION_NOT_ALLOWED"],
        429: [
            "OVERLOADED",
            "RATE_LIMIT_REACHED",
            "RECIPIENT_LIMIT_REACHED",
            "DAILY_SPEND_LIMIT_REACHED",
            "KEY_RATE_LIMIT_REACHED",
            "KEY_DAILY_SPEND_LIMIT_REACHED",
            "PUMPING_SUSPECTED",
        ],
        503: ["MESSAGING_UNAVAILABLE", "PRICING_UNAVAILABLE"],
        504: ["MESSAGING_TIMEOUT"],
    },
    body=NewQuote,
    body_examples={"curlyQuote": sms_examples.QUOTE, "everyField": sms_examples.QUOTE_LONG},
)
