"""When opening an account again is a repetition."""

from __future__ import annotations

from decimal import Decimal

from messaging_service.accounts.domain.account import Account, AccountMode
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError


def check_opened_as(account: Account, mode: AccountMode, credit_limit: Decimal, limits: AccountLimits) -> None:
    """Raises ServiceError ACCOUNT_EXISTS when an account that exists has other terms than it is to be opened with."""
    if (account.mode, account.credit_limit, account.limits) != (mode, credit_limit, limits):
        raise ServiceError(
            Kind.ALREADY_EXISTS,
            reasons.ACCOUNT_EXISTS,
            "the account exists with other terms; nothing was changed, update it instead",
            metadata={"account": account.id},
        )
