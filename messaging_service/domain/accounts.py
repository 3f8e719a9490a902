"""Who pays, and whether a hold fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from service_kit.errors import Kind, ServiceError


class AccountMode(StrEnum):
    """How an account pays."""

    POSTPAID = "postpaid"
    PREPAID = "prepaid"


class AccountStatus(StrEnum):
    """Whether an account may send."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


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

    def hold(self, amount: Decimal) -> Account:
        """The account with an amount more on hold.

        Raises ServiceError ACCOUNT_NOT_ACTIVE, or INSUFFICIENT_FUNDS with the shortfall.
        """
        if self.status is not AccountStatus.ACTIVE:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                "ACCOUNT_NOT_ACTIVE",
                f"the account is {self.status.value}; ask the operator to activate it",
                metadata={"account": self.id, "status": self.status.value},
            )
        held = self.held + amount
        shortfall = held - self.posted - self.credit_limit
        if self.mode is AccountMode.PREPAID and shortfall > 0:
            raise ServiceError(
                Kind.FAILED_PRECONDITION,
                "INSUFFICIENT_FUNDS",
                f"the balance is KES {shortfall} short of KES {amount}; top up the account and try again",
                metadata={"account": self.id, "shortfall": str(shortfall), "currency": "KES"},
            )
        return replace(self, held=held)
