"""How the fields of the gRPC requests are spelled in REST, for errors that come back from the services."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service_kit.errors import Violation

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
    "window": "windowSeconds",
    "accounts": "userIds",
    "daily_spend_micros": "dailySpend",
    **{
        f"{field}_{unit}": field
        for field in ("threshold", "margin")
        for unit in ("micros", "units", "percent_micros", "messages", "blocks")
    },
}
# What the wire puts into a message of its own, REST has beside the other fields.
_FLAT = {
    "condition",
    "terms",
    "balance_low",
    "units_low",
    "sms_failing",
    "outcomes_unknown",
    "sms_pumping",
    "carrier_down",
    "carrier_balance_low",
}

_POSITION = re.compile(r"^(?:items|requests)\[\d+\]\.")


def rest_name(field: str) -> str:
    """The REST spelling of a field's path: `recipient_phone_number` is `recipientPhoneNumber`.

    Positions stay (`tags[2]`), except the position in a batch, which the caller never saw.
    """
    path = _POSITION.sub("", field)
    return ".".join(_segment(part) for part in path.split(".") if part not in _FLAT)


def _segment(part: str) -> str:
    name, bracket, rest = part.partition("[")
    return _RENAMED.get(name) or _camel(name) + bracket + rest


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def rest_violations(violations: Sequence[Violation]) -> list[Violation]:
    """The same violations as a REST caller knows the fields; the descriptions stay as they are.

    A description names other fields in plain words (a test holds that), so nothing in it needs another spelling, and
    an identifier of the caller that looks like the name of a field is never changed.
    """
    return [Violation(rest_name(v.field), v.reason, v.description) for v in violations]
