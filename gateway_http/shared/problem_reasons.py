"""Every reason that a problem document may give: its HTTP status, its title, and what it means.

A reason is what programs should branch on; it is also the end of the problem's `type`
(`urn:tukupay:problem:NO_PRICE`). The table is published in the OpenAPI document and in docs/guides/error-codes.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.errors import Kind


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
}
STATUS_OF_REASON: dict[str, int] = {"INSUFFICIENT_FUNDS": 402}

REASONS: dict[str, Reason] = {
    "INVALID_ARGUMENT": Reason(
        400, "The request is not valid", "Fields or parameters are at fault; `errors` names each of them."
    ),
    "MALFORMED_JSON": Reason(400, "The body is not JSON", "The body cannot be parsed; the detail gives the position."),
    "MALFORMED_REQUEST": Reason(
        400,
        "The request is not valid HTTP/1.1",
        "Nothing of it was done; requests before it on the connection were answered. The connection is closed.",
    ),
    "INSUFFICIENT_FUNDS": Reason(
        402, "The balance does not cover the message", "Top the account up, or send less; nothing was charged."
    ),
    "ACCOUNT_NOT_FOUND": Reason(
        404,
        "No such account",
        "It has neither been opened nor sent anything: check the `userId`, or open it. A message of it was neither "
        "stored nor charged.",
    ),
    "OUTBOX_ENTRY_NOT_FOUND": Reason(404, "No such outbox entry", "Check the `outboxId`."),
    "NO_PRICE": Reason(
        404,
        "No price is in effect",
        "No level that applies has a price: 404 when a price was asked for, 409 when a message was to be sent or "
        "quoted. Add one with `POST /api/sms-costs`.",
    ),
    "SUPPRESSION_NOT_FOUND": Reason(
        404, "No such suppression", "Check the `suppressionId`; the check of a recipient shows its entries."
    ),
    "ALERT_NOT_FOUND": Reason(404, "No such alert", "Check the `alertId`; the list of the account shows them."),
    "WEBHOOK_NOT_FOUND": Reason(404, "No such webhook", "Check the `webhookId`; the list of the account shows them."),
    "WEBHOOK_DELIVERY_NOT_FOUND": Reason(
        404, "No such delivery", "Check the `deliveryId`; deliveries are kept for a while only."
    ),
    "CHANNEL_NOT_FOUND": Reason(404, "No such channel", "Check the `channelId`; the list of the account shows them."),
    "CHANNEL_DELIVERY_NOT_FOUND": Reason(
        404, "No such delivery", "Check the `deliveryId`; deliveries are kept for a while only."
    ),
    "COST_NOT_FOUND": Reason(404, "No such cost", "Check the `costId`; the history of its level lists it."),
    "CARRIER_NOT_FOUND": Reason(
        404, "No such carrier", "Check its name against the carriers that are set up; the detail lists them."
    ),
    "NOT_FOUND": Reason(404, "Not found", "Given only when a service answered without a reason of its own."),
    "ROUTE_NOT_FOUND": Reason(404, "No such route", "Check the path; `/openapi.json` lists all routes."),
    "METHOD_NOT_ALLOWED": Reason(405, "The route has no such method", "The `Allow` header lists its methods."),
    "BODY_TIMEOUT": Reason(408, "The body did not arrive", "Send the whole body within 30 seconds."),
    "HEAD_TIMEOUT": Reason(
        408, "The headers did not arrive", "Send the request line and all headers within 20 seconds."
    ),
    "MESSAGE_ID_REUSED": Reason(
        409,
        "The messageId stands for another request",
        "`outboxId` is the stored entry and `errors` names the fields that differ. Repeat the first request unchanged, "
        "or give a new `messageId`.",
    ),
    "IDEMPOTENCY_KEY_REUSED": Reason(
        409,
        "The Idempotency-Key stands for another request",
        "Repeat the first request unchanged, or give a new `Idempotency-Key`.",
    ),
    "PRICE_GUARD": Reason(
        409,
        "The price or its date is unusual for the level",
        "`errors` names each guard; nothing was recorded. When it is meant, repeat with `overrideGuards`: the row "
        "then says so.",
    ),
    "COST_IN_FORCE": Reason(
        409, "The cost has taken effect", "It cannot be withdrawn any more; add a new cost that supersedes it."
    ),
    "COST_WITHDRAWN": Reason(409, "The cost was withdrawn before", "Somebody took it back; nothing is left to do."),
    "REFERENCE_REUSED": Reason(
        409,
        "The reference stands for another booking",
        "The detail says which: another amount or kind, another spelling, or another account. Nothing was booked; "
        "check the payment.",
    ),
    "ACCOUNT_EXISTS": Reason(
        409, "The account exists with other terms", "Nothing was changed; set the terms of the account instead."
    ),
    "ACCOUNT_HAS_HOLDS": Reason(
        409,
        "The account has money on hold",
        "Messages are under way. Suspend the account, and close it when they have ended.",
    ),
    "ACCOUNT_HAS_BALANCE": Reason(
        409,
        "The account has a balance",
        "Pay it back, book the payment of it, or write it off with an adjustment; then close the account.",
    ),
    "NOT_CHARGED": Reason(
        409, "The message was not charged", "There is no charge to pay back; `billing` says how its money stands."
    ),
    "TOO_MUCH_TRAFFIC": Reason(
        409, "The period has too much traffic to be priced again at once", "Choose a shorter period."
    ),
    "ACCOUNT_CLOSED": Reason(409, "The account is closed", "It takes no payments any more; open another one."),
    "ACCOUNT_NOT_ACTIVE": Reason(409, "The account may not send", "It is suspended or closed; ask its operator."),
    "RECIPIENT_OPTED_OUT": Reason(
        409,
        "The recipient wants no messages from this sender",
        "Nothing was stored or charged. Take the number off your list; `/api/sms/suppressions/check` says why.",
    ),
    "DESTINATION_NOT_ALLOWED": Reason(
        409,
        "Messages to that country are not allowed",
        "Nothing was stored or charged. Correct the number, or ask the operator to allow its country "
        "(`SMS_DESTINATIONS`).",
    ),
    "WEBHOOK_DISABLED": Reason(409, "The webhook is disabled", "Enable it first; nothing is posted to it until then."),
    "TOO_MANY_WEBHOOKS": Reason(
        409, "The account has as many webhooks as it may", "Delete one that is not needed; 20 are the most."
    ),
    "CHANNEL_DISABLED": Reason(409, "The channel is disabled", "Enable it first; nothing is sent to it until then."),
    "TOO_MANY_CHANNELS": Reason(
        409, "The account has as many channels as it may", "Delete one that is not needed; 20 are the most."
    ),
    "NOT_FAILED": Reason(409, "Only a failed SMS can be resent", "Its outcome is open, or it was sent."),
    "RETRY_LIMIT_REACHED": Reason(
        409, "The SMS was resent as often as allowed", "Send a new one instead, after looking at `errorCode`."
    ),
    "VALIDITY_OVER": Reason(
        409, "The SMS was wanted until a time that has passed", "It would arrive too late; send a new one instead."
    ),
    "CANCELLED": Reason(409, "The SMS was cancelled", "A cancelled SMS is not resent; send a new one."),
    "NOT_CANCELLABLE": Reason(409, "The SMS can no longer be cancelled", "It is with the carrier, or already settled."),
    "ALREADY_EXISTS": Reason(
        409, "It exists already", "Given only when a service answered without a reason of its own."
    ),
    "FAILED_PRECONDITION": Reason(
        409, "The present state does not allow it", "Given only when a service answered without a reason of its own."
    ),
    "BODY_TOO_LARGE": Reason(413, "The body is too large", "A body may have 65,536 bytes, that of a batch 8,388,608."),
    "UNSUPPORTED_MEDIA_TYPE": Reason(
        415, "The body is not declared as JSON", "Send `Content-Type: application/json`, in UTF-8."
    ),
    "HEAD_TOO_LARGE": Reason(
        431,
        "The headers are too large",
        "The request line and headers may have 32,768 bytes and 100 fields together.",
    ),
    "UNSUPPORTED_CONTENT_CODING": Reason(
        415, "The body is compressed", "Send it as it is, without a `Content-Encoding` other than `identity`."
    ),
    "RATE_LIMIT_REACHED": Reason(
        429, "The account has sent as many as it may in a minute", "Nothing was stored or charged; wait `Retry-After`."
    ),
    "RECIPIENT_LIMIT_REACHED": Reason(
        429,
        "The phone has had as many as it may in an hour",
        "Nothing was stored or charged; wait `Retry-After`, or ask the operator for a higher limit.",
    ),
    "DAILY_SPEND_LIMIT_REACHED": Reason(
        429,
        "The account has spent as much as it may in a day",
        "Nothing was stored or charged; wait until midnight in Nairobi, or ask the operator for a higher limit.",
    ),
    "REPORTS_BUSY": Reason(
        429, "As many reports are under way as may be", "Nothing was read; wait `Retry-After`, or ask for less at once."
    ),
    "CALLER_TOO_SLOW": Reason(
        429,
        "The report waited too long for its reader",
        "Read without pauses (into a file first), or ask for a shorter period or fewer groups.",
    ),
    "WATCHER_TOO_SLOW": Reason(
        429,
        "More events waited for the watcher than are kept",
        "Watch again from the last cursor that came, and take events faster or ask for fewer. gRPC only.",
    ),
    "TOO_MANY_WATCHES": Reason(
        429,
        "The process serves as many watches as it may",
        "Watch again later, or let one watch serve several readers. gRPC only.",
    ),
    "OVERLOADED": Reason(429, "Too much at once", "Nothing was stored or charged; repeat after `Retry-After` seconds."),
    "INTERNAL": Reason(
        500, "Something went wrong here", "Our fault; report the `requestId`. The detail says what is known."
    ),
    "METHOD_NOT_IMPLEMENTED": Reason(501, "The method is for proxies", "`CONNECT` leads nowhere here."),
    "UNSUPPORTED_TRANSFER_CODING": Reason(
        501, "The transfer coding is not known", "Send the body as it is, or with `Transfer-Encoding: chunked` alone."
    ),
    "TOO_MANY_CONNECTIONS": Reason(
        503, "Too many connections are open", "Nothing was done; repeat after `Retry-After` seconds."
    ),
    "PRICING_UNAVAILABLE": Reason(
        503, "The pricing service cannot be reached", "Nothing was stored or charged; repeat later."
    ),
    "PRICING_INTERRUPTED": Reason(503, "The pricing service broke off", "The price may or may not have been recorded."),
    "MESSAGING_UNAVAILABLE": Reason(
        503, "The messaging service cannot be reached", "Nothing was stored or charged; repeat later."
    ),
    "MESSAGING_INTERRUPTED": Reason(
        503,
        "The messaging service broke off",
        "The outcome is not known here: repeat a send with the same `messageId`, never with a new one.",
    ),
    "CARRIER_UNAVAILABLE": Reason(
        503, "No carrier can take the message", "Nothing was stored or charged; repeat later."
    ),
    "CHANNELS_BUSY": Reason(
        503, "The target of a channel could not be looked at", "Nothing was changed; repeat in a moment."
    ),
    "DATABASE_UNAVAILABLE": Reason(
        503,
        "The database cannot be used now",
        "Repeat later, a send with the same `messageId`; without one, look in the outbox first.",
    ),
    "DATABASE_NOT_READY": Reason(
        503, "The database is not set up", "The operator runs `tukupay-sms migrate`; nothing was stored or charged."
    ),
    "SHUTTING_DOWN": Reason(
        503, "The process is ending", "Watch again from the last cursor that came; another process answers. gRPC only."
    ),
    "PART_OVERDUE": Reason(
        503, "The next part of an import did not come in time", "Nothing was recorded; send the rows again. gRPC only."
    ),
    "PRICING_TIMEOUT": Reason(
        504, "The pricing service did not answer in time", "A price may or may not have been recorded."
    ),
    "MESSAGING_TIMEOUT": Reason(
        504,
        "The messaging service did not answer in time",
        "The outcome is not known here: repeat a send with the same `messageId`, never with a new one.",
    ),
    "HTTP_VERSION_NOT_SUPPORTED": Reason(
        505, "The version of HTTP is not spoken", "Speak HTTP/1.1; HTTP/2 needs a proxy in front."
    ),
}
"""By reason; a test holds that it has every reason that the services or the gateway raise, and no other.

A reason that a newer service adds keeps the status of its kind.
"""

FIELD_REASONS: dict[str, str] = {
    "REQUIRED": "The field or parameter is missing.",
    "UNKNOWN_FIELD": "The request has no such field; nothing is ignored silently.",
    "REPEATED_FIELD": "A field is given more than once; parsers differ in which value counts.",
    "WRONG_TYPE": "The value has another JSON type than documented.",
    "INVALID_VALUE": "The value is none of those documented.",
    "TOO_PRECISE": "An amount has more than 6 decimal places.",
    "TOO_LONG": "A text has more characters than allowed.",
    "MALFORMED": "A text has characters that are not allowed.",
    "NOT_ALLOWED": "The field does not belong to this level, or the header to this route; leave it out.",
    "INVALID_LEVEL": "The level is none of those documented.",
    "OUT_OF_RANGE": "A number is outside its bounds.",
    "OUT_OF_PLACE": "A line of an invoice has a figure that only another kind of line has.",
    "TOO_MANY": "A list has more elements than are taken at once, or in all.",
    "DIFFERS": "The value is not that of the request that the `messageId` stands for.",
    "REPEATED": "A list has the same element twice.",
    "NAIVE_TIMESTAMP": "A time has no time zone.",
    "INVALID_TIMESTAMP": "A time is not RFC 3339.",
    "INVALID_DAY": "A day is not a calendar date such as 2026-12-01.",
    "INVALID_TEXT": "A text is not valid UTF-8.",
    "UNKNOWN_PARAMETER": "The route has no such query parameter.",
    "REPEATED_PARAMETER": "A query parameter is given more than once.",
    "EMPTY_PARAMETER": "A query parameter has no value; leave it out instead.",
    "INVALID_PAGE_TOKEN": "The page token is malformed, or belongs to other filters.",
    "INVALID_CURSOR": "The cursor of a watch is malformed, too old, or belongs to another account.",
    "INVALID_IDENTIFIER": "An identifier is empty, too long, begins or ends with a space, has characters that cannot "
    "be printed, or is not in Unicode's normal form NFC.",
    "INVALID_REASON": "A reason is empty, too long, or has characters that cannot be printed.",
    "INVALID_PHONE_NUMBER": "The recipient is not a phone number in E.164.",
    "INVALID_URL": "A URL is malformed, is not https, or leads to an address that is not public.",
    "INVALID_TARGET": "No channel leads there: its service, host or address is not allowed, or there is no mail relay.",
    "INVALID_SENDER_ID": "The sender is neither a name nor a number that carriers accept.",
    "BATCH_SIZE": "A batch is empty, or has more than 1,000 SMS.",
    "EMPTY_MESSAGE": "There is no text to send.",
    "MESSAGE_TOO_LONG": "The text takes more units than are sent as one message.",
    "SCHEDULE_TOO_FAR": "The schedule lies too far ahead.",
    "EXPIRY_NOT_AHEAD": "`expiresAt` has passed, or does not lie after `scheduleTimestamp`.",
    "EXPIRY_TOO_FAR": "`expiresAt` lies more than 7 days after the SMS is due.",
    "TOO_MANY_TAGS": "There are more tags than allowed.",
    "UNKNOWN_CARRIER": "The carrier is not configured and never took a message.",
    "UNKNOWN_PRIORITY": "The priority is none of those of the proto.",
    "UNKNOWN_STATUS": "A status is none of those of the proto.",
    "UNKNOWN_STATE": "A state is none of those of the proto.",
    "UNKNOWN_SOURCE": "The source of a suppression is none of those of the proto.",
    "UNKNOWN_GROUPING": "A grouping is none of those of the proto.",
    "NOTHING_WANTED": "No event can have both the statuses and the states that were asked for.",
    "INVALID_TAG": "A tag is empty, too long, begins or ends with a space, has characters that cannot be printed, or "
    "is not in Unicode's normal form NFC.",
    "INVALID_CUSTOM_DATA": "customData is too large, or cannot be stored.",
    "ABOVE_CEILING": "Guard: the price is higher than prices of the level normally are.",
    "RELATIVE_CHANGE": "Guard: the price is far from the one in effect at that instant.",
    "FAR_PAST": "Guard: the price would take effect unusually long ago.",
    "FAR_FUTURE": "Guard: the price would take effect unusually far ahead.",
}
"""The reasons inside `errors[]`; the same test holds that they are complete."""
