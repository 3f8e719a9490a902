"""The readings that rules of alerts judge, and how much is looked at for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from messaging_service.accounts.domain.account import AccountMode, AccountStatus
from messaging_service.notices.domain.alert_conditions import BalanceLow, SmsFailing, UnitsLow

LATEST_MESSAGES: Final = 1_000
"""Messages of an account that SmsFailing looks at, so that a look costs the same however much an account sends."""
MOST_UNKNOWN: Final = 100_000
"""How far unknown outcomes are counted."""
MOST_BLOCKS: Final = 100
"""How far pumped blocks of an account are counted."""
BLOCKS_SHOWN: Final = 5
"""How many of them an event names."""
WATCHED_MODE: Final = AccountMode.PREPAID
WATCHED_STATUS: Final = AccountStatus.ACTIVE
"""Only accounts of this mode and status have a balance to warn of."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule sees now."""

    subject: str
    """The account, the carrier, or `system`."""
    value: Decimal
    """In the unit of the rule's condition."""
    data: Mapping[str, Any]
    """What the event says beside the value."""


@dataclass(frozen=True, slots=True)
class CarrierHealth:
    """A carrier as all replicas together see it."""

    name: str
    is_down: bool
    """No replica can use it, although no operator took it out of use."""
    balance: Decimal | None
    """KES at the carrier; None where it does not say."""


def balance_reading(
    condition: BalanceLow | UnitsLow, account_id: str, available: Decimal, unit_price: Decimal | None
) -> Reading | None:
    """What an account can spend. None when its units cost nothing, or their price is not known.

    `available`: KES. `unit_price`: KES for an SMS unit, which only UnitsLow needs; None when it is not known.
    """
    if isinstance(condition, BalanceLow):
        return Reading(account_id, available, {"currency": "KES"})
    if not unit_price:
        return None
    data = {"available": f"{available:f}", "currency": "KES", "unitPrice": f"{unit_price:f}"}
    return Reading(account_id, available // unit_price, data)


def failing_reading(condition: SmsFailing, account_id: str, failed: int, ended: int) -> Reading:
    """The percentage of failures among the messages that have ended; 0 when those are too few to judge by."""
    # 0 also resolves an open alert: an account that sends no more has no failing messages either.
    percent = Decimal(100 * failed) / ended if ended >= max(condition.least_messages, 1) else Decimal(0)
    return Reading(account_id, round(percent, 2), {"failed": failed, "ended": ended})


@dataclass(frozen=True, slots=True)
class PumpedBlock:
    """A block of numbers that looks pumped."""

    block: str
    """The numbers in E.164 without their last 3 digits."""
    numbers: int
    """How many were asked for within 10 minutes."""
    longest_run: int
    usual: float
    """Messages in 10 minutes, as the mean of 7 days."""
    sent: int
    """Within the last day, as the next three."""
    refused: int
    verified: int
    not_verified: int

    @property
    def conversion(self) -> str | None:
        """The percentage of codes that came back; None when nobody has said."""
        told = self.verified + self.not_verified
        return f"{100 * self.verified / told:.1f}" if told else None


def pumping_reading(account_id: str, blocks: Sequence[PumpedBlock]) -> Reading:
    """How many blocks of an account look pumped, and the worst of them."""
    worst = [
        {
            "block": each.block,
            "numbers": each.numbers,
            "longestRun": each.longest_run,
            "usual": f"{each.usual:.2f}",
            "sent": each.sent,
            "refused": each.refused,
            "verified": each.verified,
            "notVerified": each.not_verified,
            "conversion": each.conversion,
        }
        for each in blocks[:BLOCKS_SHOWN]
    ]
    return Reading(account_id, Decimal(len(blocks)), {"blocks": worst})


def unknown_reading(count: int) -> Reading:
    """How many messages of the whole system have an unknown outcome."""
    return Reading("system", Decimal(count), {})


def down_reading(carrier: CarrierHealth, down_for: timedelta) -> Reading:
    """For how many whole seconds a carrier is down; 0 while it is not."""
    return Reading(carrier.name, Decimal(down_for // timedelta(seconds=1)), {"carrier": carrier.name})


def carrier_balance_reading(carrier: CarrierHealth) -> Reading | None:
    """What our account at a carrier holds; None where the carrier does not say."""
    if carrier.balance is None:
        return None
    return Reading(carrier.name, carrier.balance, {"carrier": carrier.name, "currency": "KES"})


def down_since(before: Mapping[str, datetime], carriers: Sequence[CarrierHealth], now: datetime) -> dict[str, datetime]:
    """Since when each carrier that is down has been, by its name. `before`: the same at the last look."""
    return {carrier.name: before.get(carrier.name, now) for carrier in carriers if carrier.is_down}
