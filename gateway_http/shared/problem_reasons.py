"""Every reason that a problem document may give: its HTTP status, its title, and what it means.

A reason is what programs should branch on; it is also the end of the problem's `type`
(`urn:tukupay:problem:NO_PRICE`). The table is published in the OpenAPI document and in docs/guides/error-codes.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway_http.shared.reasons import REASONS as OWN
from service_kit.errors import Kind
from service_kit.reasons import COMMON
from tukupay.sms.messaging import reasons as messaging
from tukupay.sms.pricing import reasons as pricing


@dataclass(frozen=True, slots=True)
class Reason:
    """What one reason stands for."""

    status: int
    title: str
    meaning: str


# A kind decides the status, except for the reasons below it that say more.
STATUS_OF_KIND: dict[Kind, int] = {
    Kind.INVALID: 400,
    Kind.NOT_FOUND: 404,
    Kind.ALREADY_EXISTS: 409,
    Kind.FAILED_PRECONDITION: 409,
    Kind.OVERLOADED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.UNAUTHENTICATED: 401,
    Kind.PERMISSION_DENIED: 403,
}
STATUS_OF_REASON: dict[str, int] = {"INSUFFICIENT_FUNDS": 402}

_PROBLEMS: dict[str, tuple[int, str]] = {
    "INVALID_ARGUMENT": (400, "Fields or parameters are at fault; `errors` names each of them."),
    "MALFORMED_JSON": (400, "The body cannot be parsed; the detail gives the position."),
    "MALFORMED_REQUEST": (
        400,
        ("Nothing of it was done; requests before it on the connection were answered. The connection is closed."),
    ),
    "UNAUTHENTICATED": (
        401,
        "Send `Authorization: Bearer` with an API key or a token. One that was revoked or has expired is not valid.",
    ),
    "PERMISSION_DENIED": (
        403,
        "The credential is valid, but lacks the scope, or may not act for the account; the detail says which.",
    ),
    "INSUFFICIENT_FUNDS": (402, "Top the account up, or send less; nothing was charged."),
    "ACCOUNT_NOT_FOUND": (
        404,
        (
            "It has neither been opened nor sent anything: check the `userId`, or open it. A message of it was "
            "neither stored nor charged."
        ),
    ),
    "OUTBOX_ENTRY_NOT_FOUND": (404, "Check the `outboxId`."),
    "NO_PRICE": (
        404,
        (
            "No level that applies has a price: 404 when a price was asked for, 409 when a message was to be "
            "sent or quoted. Add one with `POST /api/sms-costs`."
        ),
    ),
    "SUPPRESSION_NOT_FOUND": (404, "Check the `suppressionId`; the check of a recipient shows its entries."),
    "ALERT_NOT_FOUND": (404, "Check the `alertId`; the list of the account shows them."),
    "WEBHOOK_NOT_FOUND": (404, "Check the `webhookId`; the list of the account shows them."),
    "WEBHOOK_DELIVERY_NOT_FOUND": (404, "Check the `deliveryId`; deliveries are kept for a while only."),
    "CHANNEL_NOT_FOUND": (404, "Check the `channelId`; the list of the account shows them."),
    "CHANNEL_DELIVERY_NOT_FOUND": (404, "Check the `deliveryId`; deliveries are kept for a while only."),
    "COST_NOT_FOUND": (404, "Check the `costId`; the history of its level lists it."),
    "KEY_NOT_FOUND": (404, "Check the `keyId`; the list of keys shows it."),
    "CARRIER_NOT_FOUND": (404, "Check its name against the carriers that are set up; the detail lists them."),
    "NOT_FOUND": (404, "Given only when a service answered without a reason of its own."),
    "ROUTE_NOT_FOUND": (404, "Check the path; `/openapi.json` lists all routes."),
    "METHOD_NOT_ALLOWED": (405, "The `Allow` header lists its methods."),
    "BODY_TIMEOUT": (408, "Send the whole body within 30 seconds."),
    "HEAD_TIMEOUT": (408, "Send the request line and all headers within 20 seconds."),
    "MESSAGE_ID_REUSED": (
        409,
        (
            "`outboxId` is the stored entry and `errors` names the fields that differ. Repeat the first request "
            "unchanged, or give a new `messageId`."
        ),
    ),
    "IDEMPOTENCY_KEY_REUSED": (409, "Repeat the first request unchanged, or give a new `Idempotency-Key`."),
    "PRICE_GUARD": (
        409,
        (
            "`errors` names each guard; nothing was recorded. When it is meant, repeat with `overrideGuards`: "
            "the row then says so."
        ),
    ),
    "COST_IN_FORCE": (409, "It cannot be withdrawn any more; add a new cost that supersedes it."),
    "COST_WITHDRAWN": (409, "Somebody took it back; nothing is left to do."),
    "REFERENCE_REUSED": (
        409,
        (
            "The detail says which: another amount or kind, another spelling, or another account. Nothing was "
            "booked; check the payment."
        ),
    ),
    "ACCOUNT_EXISTS": (409, "Nothing was changed; set the terms of the account instead."),
    "ACCOUNT_HAS_HOLDS": (409, "Messages are under way. Suspend the account, and close it when they have ended."),
    "ACCOUNT_HAS_BALANCE": (
        409,
        ("Pay it back, book the payment of it, or write it off with an adjustment; then close the account."),
    ),
    "NOT_CHARGED": (409, "There is no charge to pay back; `billing` says how its money stands."),
    "TOO_MUCH_TRAFFIC": (409, "Choose a shorter period."),
    "ACCOUNT_CLOSED": (409, "It takes no payments any more; open another one."),
    "ACCOUNT_NOT_ACTIVE": (409, "It is suspended or closed; ask its operator."),
    "RECIPIENT_OPTED_OUT": (
        409,
        ("Nothing was stored or charged. Take the number off your list; `/api/sms/suppressions/check` says why."),
    ),
    "DESTINATION_NOT_ALLOWED": (
        409,
        (
            "Nothing was stored or charged. Correct the number, or ask the operator to allow its country: for the "
            "account, or for all (`SMS_DESTINATIONS`)."
        ),
    ),
    "NO_TEST_CARRIER": (
        409,
        "A test key sends to sandbox carriers only: ask the operator for one, or use a live key. Nothing was stored.",
    ),
    "WEBHOOK_DISABLED": (409, "Enable it first; nothing is posted to it until then."),
    "TOO_MANY_WEBHOOKS": (409, "Delete one that is not needed; 20 are the most."),
    "CHANNEL_DISABLED": (409, "Enable it first; nothing is sent to it until then."),
    "TOO_MANY_CHANNELS": (409, "Delete one that is not needed; 20 are the most."),
    "KEY_ENDED": (409, "Make a new key."),
    "KEY_REPLACED": (409, "Rotate the key that replaces it, or revoke this one."),
    "FEEDBACK_TOO_LATE": (409, "Nothing was recorded; say it within 7 days of the SMS."),
    "NOT_FAILED": (409, "Its outcome is open, or it was sent."),
    "RETRY_LIMIT_REACHED": (409, "Send a new one instead, after looking at `errorCode`."),
    "VALIDITY_OVER": (409, "It would arrive too late; send a new one instead."),
    "KEYS_NOT_SET": (409, "The operator sets `MESSAGING_KEK_FILE` first."),
    "CONVERSION_UNFINISHED": (409, "Not all messages of a phone would be found; repeat when it is over."),
    "TEXT_ERASED": (409, "Nothing is left to send; send a new one instead."),
    "CANCELLED": (409, "A cancelled SMS is not resent; send a new one."),
    "NOT_CANCELLABLE": (409, "It is with the carrier, or already settled."),
    "ALREADY_EXISTS": (409, "Given only when a service answered without a reason of its own."),
    "FAILED_PRECONDITION": (409, "Given only when a service answered without a reason of its own."),
    "BODY_TOO_LARGE": (413, "A body may have 65,536 bytes, that of a batch 8,388,608."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Send `Content-Type: application/json`, in UTF-8."),
    "HEAD_TOO_LARGE": (431, "The request line and headers may have 32,768 bytes and 100 fields together."),
    "UNSUPPORTED_CONTENT_CODING": (415, "Send it as it is, without a `Content-Encoding` other than `identity`."),
    "RATE_LIMIT_REACHED": (429, "Nothing was stored or charged; wait `Retry-After`."),
    "RECIPIENT_LIMIT_REACHED": (
        429,
        "Nothing was stored or charged; wait `Retry-After`, or ask the operator for a higher limit.",
    ),
    "DAILY_SPEND_LIMIT_REACHED": (
        429,
        ("Nothing was stored or charged; wait until midnight in Nairobi, or ask the operator for a higher limit."),
    ),
    "KEY_RATE_LIMIT_REACHED": (429, "Nothing was stored or charged; wait `Retry-After`."),
    "KEY_DAILY_SPEND_LIMIT_REACHED": (
        429,
        ("Nothing was stored or charged; wait until midnight in Nairobi, or ask for a key with a higher limit."),
    ),
    "PUMPING_SUSPECTED": (
        429,
        (
            "Nothing was stored or charged; many numbers of one block were asked for within minutes. See who asks for "
            "codes; the block opens by itself 10 minutes after that has stopped."
        ),
    ),
    "REPORTS_BUSY": (429, "Nothing was read; wait `Retry-After`, or ask for less at once."),
    "CALLER_TOO_SLOW": (429, "Read without pauses (into a file first), or ask for a shorter period or fewer groups."),
    "WATCHER_TOO_SLOW": (
        429,
        ("Watch again from the last cursor that came, and take events faster or ask for fewer. gRPC only."),
    ),
    "TOO_MANY_WATCHES": (429, "Watch again later, or let one watch serve several readers. gRPC only."),
    "TOO_MANY_BAD_CREDENTIALS": (
        429,
        "Nothing was done; send a valid credential, which is never limited by this, or wait `Retry-After`.",
    ),
    "OVERLOADED": (429, "Nothing was stored or charged; repeat after `Retry-After` seconds."),
    "INTERNAL": (500, "Our fault; report the `requestId`. The detail says what is known."),
    "METHOD_NOT_IMPLEMENTED": (501, "`CONNECT` leads nowhere here."),
    "UNSUPPORTED_TRANSFER_CODING": (501, "Send the body as it is, or with `Transfer-Encoding: chunked` alone."),
    "TOO_MANY_CONNECTIONS": (503, "Nothing was done; repeat after `Retry-After` seconds."),
    "PRICING_UNAVAILABLE": (503, "Nothing was stored or charged; repeat later."),
    "PRICING_INTERRUPTED": (503, "The price may or may not have been recorded."),
    "MESSAGING_UNAVAILABLE": (503, "Nothing was stored or charged; repeat later."),
    "MESSAGING_INTERRUPTED": (
        503,
        "The outcome is not known here: repeat a send with the same `messageId`, never with a new one.",
    ),
    "CARRIER_UNAVAILABLE": (503, "Nothing was stored or charged; repeat later."),
    "KEYS_UNAVAILABLE": (503, "Nothing was stored or changed; repeat in a moment."),
    "CHANNELS_BUSY": (503, "Nothing was changed; repeat in a moment."),
    "DATABASE_UNAVAILABLE": (
        503,
        "Repeat later, a send with the same `messageId`; without one, look in the outbox first.",
    ),
    "IDENTITY_PROVIDER_UNAVAILABLE": (
        503,
        "The token could not be checked, and nothing was done; repeat later. API keys are not concerned.",
    ),
    "DATABASE_NOT_READY": (503, "The operator runs `tukupay-sms migrate`; nothing was stored or charged."),
    "SHUTTING_DOWN": (503, "Watch again from the last cursor that came; another process answers. gRPC only."),
    "PART_OVERDUE": (503, "Nothing was recorded; send the rows again. gRPC only."),
    "PRICING_TIMEOUT": (504, "A price may or may not have been recorded."),
    "MESSAGING_TIMEOUT": (
        504,
        "The outcome is not known here: repeat a send with the same `messageId`, never with a new one.",
    ),
    "HTTP_VERSION_NOT_SUPPORTED": (505, "Speak HTTP/1.1; HTTP/2 needs a proxy in front."),
}
"""The status and the meaning of each; the title is what the service or the gateway says of the reason."""

_SENTENCES: dict[str, str] = COMMON.sentences | pricing.SENTENCES | messaging.SENTENCES | OWN.sentences

REASONS: dict[str, Reason] = {
    name: Reason(status, _SENTENCES[name].removesuffix("."), meaning) for name, (status, meaning) in _PROBLEMS.items()
}
"""By reason; a test holds that it has every reason that the services or the gateway raise, and no other.

A reason that a newer service adds keeps the status of its kind.
"""

FIELD_REASONS: dict[str, str] = {name: sentence for name, sentence in _SENTENCES.items() if name not in REASONS}
"""The reasons inside `errors[]`; the same test holds that they are complete."""
