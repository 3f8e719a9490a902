"""What an API key may send and spend, over all accounts that it sends for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from messaging_service.accounts.domain.account_limits import AccountUsage
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import plain
from service_kit.errors import Kind, ServiceError
from service_kit.quotas import quota

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeyShare:
    """The limits of a key, of which it has one at least, and what it has used of them."""

    key_id: str
    """Public: the key without its secret."""
    counted_as: str
    """The first of the keys that replaced one another: they count together, so that a new one has no new share."""
    messages_per_minute: int | None
    """Accepted or resent in a minute of the clock; None for as many as its accounts allow."""
    daily_spend: Decimal | None
    """KES put on hold in a day of Nairobi; None for as much as its accounts allow."""
    usage: AccountUsage

    def hold(self, amount: Decimal) -> KeyShare:
        """The share with one message more, for KES `amount`.

        Raises ServiceError KEY_RATE_LIMIT_REACHED or KEY_DAILY_SPEND_LIMIT_REACHED.
        """
        usage = self.usage
        if self.messages_per_minute is not None and usage.sent_this_minute >= self.messages_per_minute:
            raise ServiceError(
                Kind.OVERLOADED,
                reasons.KEY_RATE_LIMIT_REACHED,
                f"the API key may send {self.messages_per_minute} messages a minute and has; nothing was stored or "
                "charged, try again when the minute is over",
                retry_after=usage.minute_ends_in,
                metadata={"key": self.key_id, **quota("key-minute", self.messages_per_minute, _MINUTE)},
            )
        spent = usage.spent_today + amount
        if self.daily_spend is not None and spent > self.daily_spend:
            raise ServiceError(
                Kind.OVERLOADED,
                reasons.KEY_DAILY_SPEND_LIMIT_REACHED,
                f"the API key may spend KES {plain(self.daily_spend)} a day and KES {plain(usage.spent_today)} are "
                "spent; nothing was stored or charged, try again after midnight in Nairobi or ask for a higher limit",
                retry_after=usage.day_ends_in,
                metadata={"key": self.key_id, "limit": plain(self.daily_spend), "currency": "KES"},
            )
        used = replace(usage, spent_today=spent, sent_this_minute=usage.sent_this_minute + 1)
        return replace(self, usage=used)
