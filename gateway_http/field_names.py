"""How the fields of the gRPC requests are spelled in REST, for errors that come back from the services."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service_kit.errors import Violation
from tukupay.sms.messaging.v1 import (
    alerts_pb2,
    billing_pb2,
    channels_pb2,
    messaging_pb2,
    reports_pb2,
    suppressions_pb2,
    webhooks_pb2,
)
from tukupay.sms.pricing.v1 import pricing_pb2

# The names differ where the documented REST fields say more, or less, than the wire does.
_RENAMED = {
    "price_micros": "pricePerSms",
    "scheduled_time": "scheduleTimestamp",
    "custom_data_json": "customData",
    "page_size": "limit",
    "created_time": "createdAt",
    "ended_time": "endedAt",
    "sent_time": "sentAt",
    "expires_time": "expiresAt",
    "delivered_time": "deliveredAt",
    "last_attempt_time": "lastAttemptAt",
    "recorded_time": "recordedAt",
    "idempotency_key": "Idempotency-Key",
    "unit_price_micros": "costPerUnit",
    "total_cost_micros": "totalCost",
    "amount_micros": "amount",
    "period_start": "from",
    "period_end": "to",
    "overlap": "overlapSeconds",
    "threshold_micros": "threshold",
    "margin_micros": "margin",
}
_LEVELS = {
    "TUKUPAY": "TukuPay",
    "APP_OWNER": "AppOwner",
    "SPECIFIC_CUSTOMER": "SpecificCustomer",
    "DIRECT_CUSTOMER": "DirectCustomer",
}

_FIELDS = frozenset(
    field.name
    for file in (
        messaging_pb2.DESCRIPTOR,
        billing_pb2.DESCRIPTOR,
        reports_pb2.DESCRIPTOR,
        suppressions_pb2.DESCRIPTOR,
        webhooks_pb2.DESCRIPTOR,
        alerts_pb2.DESCRIPTOR,
        channels_pb2.DESCRIPTOR,
        pricing_pb2.DESCRIPTOR,
    )
    for message in file.message_types_by_name.values()
    for field in message.fields
)
_SNAKE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
_LEVEL = re.compile(rf"\b(?:COST_LEVEL_)?({'|'.join(_LEVELS)})\b")
_POSITION = re.compile(r"^(?:items|requests)\[\d+\]\.")


def rest_name(field: str) -> str:
    """The REST spelling of a field's path: `recipient_phone_number` is `recipientPhoneNumber`.

    Positions stay (`tags[2]`), except the position in a batch, which the caller never saw.
    """
    path = _POSITION.sub("", field)
    return ".".join(_segment(part) for part in path.split("."))


def _segment(part: str) -> str:
    name, bracket, rest = part.partition("[")
    return _RENAMED.get(name) or _camel(name) + bracket + rest


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def rest_text(text: str) -> str:
    """A sentence of a service with its field and level names in the REST spelling.

    Other words stay as they are: `finance_team` may be who withdrew a price.
    """
    return _LEVEL.sub(lambda match: _LEVELS[match[1]], _SNAKE.sub(_rest_word, text))


def _rest_word(match: re.Match[str]) -> str:
    return rest_name(match[0]) if match[0] in _FIELDS else match[0]


def rest_violations(violations: Sequence[Violation]) -> list[Violation]:
    """The same violations as a REST caller knows the fields."""
    return [Violation(rest_name(v.field), v.reason, rest_text(v.description)) for v in violations]
