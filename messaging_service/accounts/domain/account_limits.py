"""What an account may spend and send, and what of that it has used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, TypeAlias

DAY_STARTS_AT: Final = timedelta(hours=-3)
"""Midnight in Nairobi, which keeps no summer time, as a time of the UTC day."""

MOST_IN_A_WINDOW: Final = 100
"""The greatest limit of a phone in 10 minutes: the instant of each message is kept for it."""


class PumpingGuard(StrEnum):
    """What happens when the numbers that an account sends to look pumped: made up to earn on the messages to them."""

    OFF = "off"
    """Nothing; numbers are not looked at."""
    ALERT = "alert"
    """The account is warned."""
    BLOCK = "block"
    """The account is warned, and messages to those numbers are refused while it goes on."""


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What an account may spend and send; None is no limit, but where the field says otherwise."""

    daily_spend: Decimal | None = None
    """KES held or charged in a day of Nairobi; what fails later counts too."""
    messages_per_minute: int | None = None
    """Messages accepted or resent in a minute of the clock."""
    messages_per_recipient_hour: int | None = None
    """Messages to one phone in an hour of the clock: accepted, resent, and sent again as their outcome was unknown."""
    messages_per_recipient_window: int | None = None
    """Messages to one phone in any 10 minutes, counted as those of an hour."""
    otps_per_recipient_window: int | None = None
    """One-time codes to one phone in any 10 minutes, counted likewise; None: as many as the service allows."""
    destinations: tuple[str, ...] | None = None
    """The countries that it may send to, by ISO codes, and calling codes such as `+881`; None: those of the service."""
    pumping: PumpingGuard | None = None
    """Whether all of its messages are watched for pumping. None: its one-time codes are, and it is warned."""


LimitName = Literal[
    "daily_spend",
    "messages_per_minute",
    "messages_per_recipient_hour",
    "messages_per_recipient_window",
    "otps_per_recipient_window",
    "destinations",
    "pumping",
]
Limit: TypeAlias = "Decimal | int | tuple[str, ...] | PumpingGuard"


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """What of its limits an account has used; kept for every account, so that a limit counts from when it is set."""

    spent_today: Decimal
    sent_this_minute: int
    as_of: datetime
    """On the database's clock."""

    @property
    def minute_ends_in(self) -> timedelta:
        """How long this minute goes on."""
        return self.as_of.replace(second=0, microsecond=0) + timedelta(minutes=1) - self.as_of

    @property
    def hour_ends_in(self) -> timedelta:
        """How long this hour goes on."""
        return self.as_of.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) - self.as_of

    @property
    def day_ends_in(self) -> timedelta:
        """How long this day of Nairobi goes on."""
        local = self.as_of - DAY_STARTS_AT
        return local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - local

    def at(self, instant: datetime) -> AccountUsage:
        """The same at a later instant: a new day or minute starts from nothing."""
        same_day = (self.as_of - DAY_STARTS_AT).date() == (instant - DAY_STARTS_AT).date()
        same_minute = self.as_of.replace(second=0, microsecond=0) == instant.replace(second=0, microsecond=0)
        return AccountUsage(
            self.spent_today if same_day else Decimal(0), self.sent_this_minute if same_minute else 0, instant
        )


NO_LIMITS: Final = AccountLimits()
NOTHING_USED: Final = AccountUsage(Decimal(0), 0, datetime.min.replace(tzinfo=UTC))
