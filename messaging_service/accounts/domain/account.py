"""Who pays, and whether a hold fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from messaging_service.accounts.domain.account_limits import (
    NO_LIMITS,
    NOTHING_USED,
    AccountLimits,
    AccountUsage,
    Limit,
    LimitName,
)
from messaging_service.accounts.domain.ledger import EntryKind
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.money import plain
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError
from service_kit.quotas import quota


class AccountMode(StrEnum):
    """How an account pays."""

    POSTPAID = "postpaid"
    PREPAID = "prepaid"


class AccountStatus(StrEnum):
    """Whether an account may send."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class UnknownAccounts(StrEnum):
    """What happens when an account sends that nobody has opened."""

    POSTPAID = "postpaid"
    """It is opened as postpaid and owes what it sends, without a limit."""
    PREPAID = "prepaid"
    """It is opened as prepaid with nothing on it, and refused until it is topped up."""
    REFUSE = "refuse"
    """It is refused with ACCOUNT_NOT_FOUND, and nothing is opened."""


def unknown_account(account_id: str) -> ServiceError:
    """The refusal of a message whose account nobody has opened, where none is opened by sending."""
    return ServiceError(
        Kind.NOT_FOUND,
        reasons.ACCOUNT_NOT_FOUND,
        f"there is no account {account_id}, and sending opens none here; nothing was stored or charged. Check the id, "
        "or let the operator open the account first",
        metadata={"account": account_id},
    )


_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_STANDING = {
    AccountStatus.SUSPENDED: "suspended; ask the operator to activate it",
    AccountStatus.CLOSED: "closed, for good; send through another one",
}


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What to change about an account; None leaves what it is about as it is."""

    mode: AccountMode | None = None
    status: AccountStatus | None = None
    credit_limit: Decimal | None = None
    resend_unknown: bool | None = None
    limits: Mapping[LimitName, Limit | None] = field(default_factory=dict)
    """The limits to set; None lifts one, and those that are not here stay."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays. Amounts in KES."""

    id: str
    mode: AccountMode
    status: AccountStatus
    posted: Decimal
    """Sum of the ledger entries."""
    held: Decimal
    """Reserved for messages whose outcome is open."""
    credit_limit: Decimal
    """How far below zero `posted - held` of a prepaid account may go."""
    created_at: datetime
    resend_unknown: bool = False
    """Whether a message whose outcome stays unknown is sent again by itself, once; set by an operator."""
    limits: AccountLimits = NO_LIMITS
    """Set by an operator."""
    usage: AccountUsage = NOTHING_USED
    """Rises with every message that is accepted or resent."""
    overdrawn: Decimal = Decimal(0)
    """How far below its limit a prepaid account may be, because a correction took it there: no message does. Set by
    each booking of an operator to what is left of it."""

    @property
    def available(self) -> Decimal | None:
        """What can be spent now; None for a postpaid account, which is billed later."""
        return None if self.mode is AccountMode.POSTPAID else self.posted - self.held + self.credit_limit

    def hold(self, amount: Decimal, mode: AccessMode = AccessMode.LIVE) -> Account:
        """The account with an amount more on hold.

        A test message, which costs nothing, needs no balance and no room in the day's spend; it counts in its minute.

        Raises ServiceError ACCOUNT_NOT_ACTIVE, INSUFFICIENT_FUNDS with the shortfall, RATE_LIMIT_REACHED or
        DAILY_SPEND_LIMIT_REACHED.
        """
        if self.status is not AccountStatus.ACTIVE:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                reasons.ACCOUNT_NOT_ACTIVE,
                f"the account is {_STANDING[self.status]}",
                metadata={"account": self.id, "status": self.status.value},
            )
        held = self.held + amount
        shortfall = held - self.posted - self.credit_limit
        if self.mode is AccountMode.PREPAID and shortfall > 0 and mode is AccessMode.LIVE:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                reasons.INSUFFICIENT_FUNDS,
                f"the balance is KES {plain(shortfall)} short of KES {plain(amount)}; top up the account and try again",
                metadata={"account": self.id, "shortfall": plain(shortfall), "currency": "KES"},
            )
        return replace(self, held=held, usage=self._used(amount, mode))

    def _used(self, amount: Decimal, mode: AccessMode) -> AccountUsage:
        usage, limits = self.usage, self.limits
        if limits.messages_per_minute is not None and usage.sent_this_minute >= limits.messages_per_minute:
            raise ServiceError(
                Kind.OVERLOADED,
                reasons.RATE_LIMIT_REACHED,
                f"the account may send {limits.messages_per_minute} messages a minute and has; nothing was stored or "
                "charged, try again when the minute is over",
                retry_after=usage.minute_ends_in,
                metadata={"account": self.id, **quota("account-minute", limits.messages_per_minute, _MINUTE)},
            )
        spent = usage.spent_today + amount
        if limits.daily_spend is not None and spent > limits.daily_spend and mode is AccessMode.LIVE:
            raise ServiceError(
                Kind.OVERLOADED,
                reasons.DAILY_SPEND_LIMIT_REACHED,
                f"the account may spend KES {plain(limits.daily_spend)} a day and KES {plain(usage.spent_today)} are "
                "spent; nothing was stored or charged, try again after midnight in Nairobi or ask for a higher limit",
                retry_after=usage.day_ends_in,
                metadata={"account": self.id, "limit": plain(limits.daily_spend), "currency": "KES"},
            )
        return replace(usage, spent_today=spent, sent_this_minute=usage.sent_this_minute + 1)

    def check_recipient(self, sent_this_hour: int) -> None:
        """Raises ServiceError RECIPIENT_LIMIT_REACHED when a phone has had its share."""
        limit = self.limits.messages_per_recipient_hour
        if limit is not None and sent_this_hour >= limit:
            raise ServiceError(
                Kind.OVERLOADED,
                reasons.RECIPIENT_LIMIT_REACHED,
                f"the account may send {limit} messages an hour to one phone and has; nothing was stored or charged, "
                "try again when the hour is over",
                retry_after=self.usage.hour_ends_in,
                metadata={"account": self.id, **quota("recipient-hour", limit, _HOUR)},
            )

    def booked(self, kind: EntryKind, amount: Decimal) -> Account:
        """The account with a payment, correction or refund booked.

        A closed account takes no payment any more; what was wrong is still corrected and paid back. A correction may
        take a prepaid account below its limit, as when a payment is reversed that was spent: what happened is booked,
        and the account sends nothing until it is paid. Raises ServiceError ACCOUNT_CLOSED.
        """
        if kind is EntryKind.TOP_UP:
            self._check_open()
        return _measured(replace(self, posted=self.posted + amount))

    def changed(self, changes: AccountChanges) -> Account:
        """The account after the changes.

        Raises ServiceError ACCOUNT_CLOSED, ACCOUNT_HAS_HOLDS, ACCOUNT_HAS_BALANCE, or INSUFFICIENT_FUNDS when its
        balance does not allow it.
        """
        self._check_open()
        if changes.status is AccountStatus.CLOSED and self.held:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                reasons.ACCOUNT_HAS_HOLDS,
                f"KES {plain(self.held)} are on hold for messages under way; suspend the account, and close it when "
                "they end",
                metadata={"account": self.id, "held": plain(self.held)},
            )
        if changes.status is AccountStatus.CLOSED and self.posted:
            remedy = (
                "pay it out and book that as an adjustment"
                if self.posted > 0
                else "book the payment of it, or write it off with an adjustment"
            )
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                reasons.ACCOUNT_HAS_BALANCE,
                f"the balance is KES {plain(self.posted)}; {remedy}, and close the account then",
                metadata={"account": self.id, "balance": plain(self.posted), "currency": "KES"},
            )
        limits: dict[Any, Any] = dict(changes.limits)
        changed = replace(
            self,
            mode=changes.mode or self.mode,
            status=changes.status or self.status,
            credit_limit=self.credit_limit if changes.credit_limit is None else changes.credit_limit,
            resend_unknown=self.resend_unknown if changes.resend_unknown is None else changes.resend_unknown,
            limits=replace(self.limits, **limits),
        )
        # An account that a correction took below its limit may still be suspended, or given more credit.
        is_bound = self.mode is AccountMode.PREPAID and changed.credit_limit >= self.credit_limit
        if not is_bound:
            changed.check_funds()
        return _measured(changed)

    def check_funds(self) -> None:
        """Raises ServiceError INSUFFICIENT_FUNDS when a prepaid account is below its limit."""
        if self.available is not None and self.available < 0:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                reasons.INSUFFICIENT_FUNDS,
                f"the balance would be KES {plain(-self.available)} below the credit limit; top the account up first",
                metadata={"account": self.id, "shortfall": plain(-self.available), "currency": "KES"},
            )

    def _check_open(self) -> None:
        if self.status is AccountStatus.CLOSED:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                reasons.ACCOUNT_CLOSED,
                "the account is closed, for good; open another one",
                metadata={"account": self.id},
            )


def _measured(account: Account) -> Account:
    """The account with what it is below its limit as what it may be."""
    below = Decimal(0) if account.available is None else max(-account.available, Decimal(0))
    return account if below == account.overdrawn else replace(account, overdrawn=below)
