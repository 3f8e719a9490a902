"""How long messages are kept, and by what they are known again."""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.settings import integer, setting


@dataclass(frozen=True, slots=True)
class MonthSettings:
    """What becomes of old months."""

    message_retention_months: int = setting(
        "SMS_MESSAGE_RETENTION_MONTHS",
        "whole months of messages that are kept before the present one, with their events and parts; "
        "`tukupay-sms retention remove` removes older ones; 0 for ever",
        parse=integer(0, 1_200),
        default=0,
        guide="guides/retention.md",
    )
    idempotency_days: int = setting(
        "SMS_IDEMPOTENCY_DAYS",
        "days for which a `messageId` is known again; after them the same request is a new message; 0 for ever",
        parse=integer(0, 3_650),
        default=0,
        guide="guides/retention.md",
    )
