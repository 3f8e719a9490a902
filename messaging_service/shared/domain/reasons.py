"""Every reason that the messaging service raises; `make protos` publishes them as tukupay.sms.messaging.reasons."""

from __future__ import annotations

from typing import Final

from service_kit import reasons as common
from service_kit.reasons import ReasonCatalogue

REASONS: Final = ReasonCatalogue()

# Of requests as a whole.
INSUFFICIENT_FUNDS: Final = REASONS.add("INSUFFICIENT_FUNDS", "The balance does not cover the message.")
ACCOUNT_NOT_FOUND: Final = REASONS.add("ACCOUNT_NOT_FOUND", "No such account.")
OUTBOX_ENTRY_NOT_FOUND: Final = REASONS.add("OUTBOX_ENTRY_NOT_FOUND", "No such outbox entry.")
NO_PRICE: Final = REASONS.add("NO_PRICE", "No price is in effect.")
SUPPRESSION_NOT_FOUND: Final = REASONS.add("SUPPRESSION_NOT_FOUND", "No such suppression.")
ALERT_NOT_FOUND: Final = REASONS.add("ALERT_NOT_FOUND", "No such alert.")
WEBHOOK_NOT_FOUND: Final = REASONS.add("WEBHOOK_NOT_FOUND", "No such webhook.")
WEBHOOK_DELIVERY_NOT_FOUND: Final = REASONS.add("WEBHOOK_DELIVERY_NOT_FOUND", "No such delivery.")
CHANNEL_NOT_FOUND: Final = REASONS.add("CHANNEL_NOT_FOUND", "No such channel.")
CHANNEL_DELIVERY_NOT_FOUND: Final = REASONS.add("CHANNEL_DELIVERY_NOT_FOUND", "No such delivery.")
KEY_NOT_FOUND: Final = REASONS.add("KEY_NOT_FOUND", "No such key, or it is not valid.")
CARRIER_NOT_FOUND: Final = REASONS.add("CARRIER_NOT_FOUND", "No such carrier.")
MESSAGE_ID_REUSED: Final = REASONS.add("MESSAGE_ID_REUSED", "The messageId stands for another request.")
REFERENCE_REUSED: Final = REASONS.add("REFERENCE_REUSED", "The reference stands for another booking.")
ACCOUNT_EXISTS: Final = REASONS.add("ACCOUNT_EXISTS", "The account exists with other terms.")
ACCOUNT_HAS_HOLDS: Final = REASONS.add("ACCOUNT_HAS_HOLDS", "The account has money on hold.")
ACCOUNT_HAS_BALANCE: Final = REASONS.add("ACCOUNT_HAS_BALANCE", "The account has a balance.")
NOT_CHARGED: Final = REASONS.add("NOT_CHARGED", "The message was not charged.")
TOO_MUCH_TRAFFIC: Final = REASONS.add("TOO_MUCH_TRAFFIC", "The period has too much traffic to be priced again at once.")
ACCOUNT_CLOSED: Final = REASONS.add("ACCOUNT_CLOSED", "The account is closed.")
ACCOUNT_NOT_ACTIVE: Final = REASONS.add("ACCOUNT_NOT_ACTIVE", "The account may not send.")
RECIPIENT_OPTED_OUT: Final = REASONS.add("RECIPIENT_OPTED_OUT", "The recipient wants no messages from this sender.")
DESTINATION_NOT_ALLOWED: Final = REASONS.add("DESTINATION_NOT_ALLOWED", "Messages to that country are not allowed.")
NO_TEST_CARRIER: Final = REASONS.add("NO_TEST_CARRIER", "There is no sandbox carrier for test messages.")
WEBHOOK_DISABLED: Final = REASONS.add("WEBHOOK_DISABLED", "The webhook is disabled.")
TOO_MANY_WEBHOOKS: Final = REASONS.add("TOO_MANY_WEBHOOKS", "The account has as many webhooks as it may.")
CHANNEL_DISABLED: Final = REASONS.add("CHANNEL_DISABLED", "The channel is disabled.")
TOO_MANY_CHANNELS: Final = REASONS.add("TOO_MANY_CHANNELS", "The account has as many channels as it may.")
KEY_ENDED: Final = REASONS.add("KEY_ENDED", "The key was revoked, or has expired.")
KEY_REPLACED: Final = REASONS.add("KEY_REPLACED", "Another key replaces this one already.")
NOT_FAILED: Final = REASONS.add("NOT_FAILED", "Only a failed SMS can be resent.")
TEXT_ERASED: Final = REASONS.add("TEXT_ERASED", "The text of the SMS was erased.")
KEYS_NOT_SET: Final = REASONS.add("KEYS_NOT_SET", "Texts are not stored under keys.")
CONVERSION_UNFINISHED: Final = REASONS.add("CONVERSION_UNFINISHED", "Older messages are still being put under keys.")
KEYS_UNAVAILABLE: Final = REASONS.add("KEYS_UNAVAILABLE", "The keys of texts cannot be had.")
RETRY_LIMIT_REACHED: Final = REASONS.add("RETRY_LIMIT_REACHED", "The SMS was resent as often as allowed.")
VALIDITY_OVER: Final = REASONS.add("VALIDITY_OVER", "The SMS was wanted until a time that has passed.")
CANCELLED: Final = REASONS.add("CANCELLED", "The SMS was cancelled.")
NOT_CANCELLABLE: Final = REASONS.add("NOT_CANCELLABLE", "The SMS can no longer be cancelled.")
RATE_LIMIT_REACHED: Final = REASONS.add("RATE_LIMIT_REACHED", "The account has sent as many as it may in a minute.")
RECIPIENT_LIMIT_REACHED: Final = REASONS.add(
    "RECIPIENT_LIMIT_REACHED", "The phone has had as many as it may in an hour, or in 10 minutes."
)
DAILY_SPEND_LIMIT_REACHED: Final = REASONS.add(
    "DAILY_SPEND_LIMIT_REACHED", "The account has spent as much as it may in a day."
)
KEY_RATE_LIMIT_REACHED: Final = REASONS.add(
    "KEY_RATE_LIMIT_REACHED", "The API key has sent as many as it may in a minute."
)
KEY_DAILY_SPEND_LIMIT_REACHED: Final = REASONS.add(
    "KEY_DAILY_SPEND_LIMIT_REACHED", "The API key has spent as much as it may in a day."
)
PUMPING_SUSPECTED: Final = REASONS.add("PUMPING_SUSPECTED", "Messages to that block of numbers look like pumping.")
FEEDBACK_TOO_LATE: Final = REASONS.add("FEEDBACK_TOO_LATE", "The SMS is too old for what came of it to be counted.")
REPORTS_BUSY: Final = REASONS.add("REPORTS_BUSY", "As many reports are under way as may be.")
CALLER_TOO_SLOW: Final = REASONS.add("CALLER_TOO_SLOW", "The report waited too long for its reader.")
WATCHER_TOO_SLOW: Final = REASONS.add("WATCHER_TOO_SLOW", "More events waited for the watcher than are kept.")
TOO_MANY_WATCHES: Final = REASONS.add("TOO_MANY_WATCHES", "The process serves as many watches as it may.")
OVERLOADED: Final = REASONS.take(common.OVERLOADED)
PRICING_UNAVAILABLE: Final = REASONS.add("PRICING_UNAVAILABLE", "The pricing service cannot be reached.")
CARRIER_UNAVAILABLE: Final = REASONS.add("CARRIER_UNAVAILABLE", "No carrier can take the message.")
CHANNELS_BUSY: Final = REASONS.add("CHANNELS_BUSY", "The target of a channel could not be looked at.")
DATABASE_NOT_READY: Final = REASONS.take(common.DATABASE_NOT_READY)
SHUTTING_DOWN: Final = REASONS.add("SHUTTING_DOWN", "The process is ending.")

# Of single fields.
REQUIRED: Final = REASONS.take(common.REQUIRED)
INVALID_VALUE: Final = REASONS.take(common.INVALID_VALUE)
MALFORMED: Final = REASONS.take(common.MALFORMED)
NOT_ALLOWED: Final = REASONS.take(common.NOT_ALLOWED)
INVALID_LEVEL: Final = REASONS.take(common.INVALID_LEVEL)
OUT_OF_RANGE: Final = REASONS.take(common.OUT_OF_RANGE)
OUT_OF_PLACE: Final = REASONS.add(
    "OUT_OF_PLACE", "A line of an invoice has a figure that only another kind of line has."
)
TOO_MANY: Final = REASONS.add("TOO_MANY", "A list has more elements than are taken at once, or in all.")
DIFFERS: Final = REASONS.add("DIFFERS", "The value is not that of the request that the `messageId` stands for.")
REPEATED: Final = REASONS.take(common.REPEATED)
INVALID_TIMESTAMP: Final = REASONS.take(common.INVALID_TIMESTAMP)
INVALID_DAY: Final = REASONS.add("INVALID_DAY", "A day is not a calendar date such as 2026-12-01.")
INVALID_TEXT: Final = REASONS.take(common.INVALID_TEXT)
INVALID_PAGE_TOKEN: Final = REASONS.take(common.INVALID_PAGE_TOKEN)
INVALID_CURSOR: Final = REASONS.take(common.INVALID_CURSOR)
INVALID_IDENTIFIER: Final = REASONS.take(common.INVALID_IDENTIFIER)
INVALID_REASON: Final = REASONS.add(
    "INVALID_REASON", "A reason is empty, too long, or has characters that cannot be printed."
)
INVALID_PHONE_NUMBER: Final = REASONS.add("INVALID_PHONE_NUMBER", "The recipient is not a phone number in E.164.")
INVALID_URL: Final = REASONS.add(
    "INVALID_URL", "A URL is malformed, is not https, or leads to an address that is not public."
)
INVALID_TARGET: Final = REASONS.add(
    "INVALID_TARGET",
    "No channel leads there: its service, host or address is not allowed, or there is no mail relay.",
)
INVALID_SENDER_ID: Final = REASONS.add(
    "INVALID_SENDER_ID", "The sender is neither a name nor a number that carriers accept."
)
BATCH_SIZE: Final = REASONS.add("BATCH_SIZE", "A batch is empty, or has more than 1,000 SMS.")
EMPTY_MESSAGE: Final = REASONS.add("EMPTY_MESSAGE", "There is no text to send.")
MESSAGE_TOO_LONG: Final = REASONS.add("MESSAGE_TOO_LONG", "The text takes more units than are sent as one message.")
SCHEDULE_TOO_FAR: Final = REASONS.add("SCHEDULE_TOO_FAR", "The schedule lies too far ahead.")
EXPIRY_NOT_AHEAD: Final = REASONS.add(
    "EXPIRY_NOT_AHEAD", "`expiresAt` has passed, or does not lie after `scheduleTimestamp`."
)
EXPIRY_TOO_FAR: Final = REASONS.add("EXPIRY_TOO_FAR", "`expiresAt` lies more than 7 days after the SMS is due.")
TOO_MANY_TAGS: Final = REASONS.add("TOO_MANY_TAGS", "There are more tags than allowed.")
UNKNOWN_CARRIER: Final = REASONS.add("UNKNOWN_CARRIER", "The carrier is not configured and never took a message.")
UNKNOWN_PRIORITY: Final = REASONS.add("UNKNOWN_PRIORITY", "The priority is none of those of the proto.")
UNKNOWN_STATUS: Final = REASONS.add("UNKNOWN_STATUS", "A status is none of those of the proto.")
UNKNOWN_STATE: Final = REASONS.add("UNKNOWN_STATE", "A state is none of those of the proto.")
UNKNOWN_SOURCE: Final = REASONS.add("UNKNOWN_SOURCE", "The source of a suppression is none of those of the proto.")
UNKNOWN_GROUPING: Final = REASONS.add("UNKNOWN_GROUPING", "A grouping is none of those of the proto.")
NOTHING_WANTED: Final = REASONS.add(
    "NOTHING_WANTED", "No event can have both the statuses and the states that were asked for."
)
INVALID_TAG: Final = REASONS.add(
    "INVALID_TAG",
    "A tag is empty, too long, begins or ends with a space, has characters that cannot be "
    "printed, or is not in Unicode's normal form NFC.",
)
INVALID_CUSTOM_DATA: Final = REASONS.add("INVALID_CUSTOM_DATA", "customData is too large, or cannot be stored.")
