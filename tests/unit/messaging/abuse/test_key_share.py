"""What an API key may send and spend."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from messaging_service.abuse.domain.key_share import KeyShare
from messaging_service.accounts.domain.account_limits import AccountUsage
from service_kit.errors import ServiceError

# 30 s before a minute ends, and 30 s before a day of Nairobi does.
NOW = datetime(2026, 12, 1, 20, 59, 30, tzinfo=UTC)
SHARE = KeyShare("tk_live_4fQ2bT9x", "tk_live_4fQ2bT9x", 2, Decimal(1), AccountUsage(Decimal("0.4"), 1, NOW))


def refusal_of(share: KeyShare, amount: str) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        share.hold(Decimal(amount))
    return caught.value


def test_a_message_counts_toward_both_limits() -> None:
    usage = SHARE.hold(Decimal("0.6")).usage
    assert (usage.spent_today, usage.sent_this_minute) == (Decimal("1.0"), 2)


def test_the_minute_is_over_when_its_clock_says_so() -> None:
    full = SHARE.hold(Decimal("0.1"))
    error = refusal_of(full, "0.1")
    assert (error.reason, error.retry_after) == ("KEY_RATE_LIMIT_REACHED", timedelta(seconds=30))


def test_a_day_ends_at_midnight_in_nairobi() -> None:
    error = refusal_of(SHARE, "0.600001")
    assert (error.reason, error.retry_after) == ("KEY_DAILY_SPEND_LIMIT_REACHED", timedelta(seconds=30))
    assert "policy" not in error.metadata


def test_a_limit_that_is_not_set_refuses_nothing() -> None:
    free = replace(SHARE, messages_per_minute=None, daily_spend=None)
    for _ in range(100):
        free = free.hold(Decimal(1_000))
    assert free.usage.sent_this_minute == 101
