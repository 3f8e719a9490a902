"""Opens accounts, shows them, and changes what is chosen for them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from messaging_service.accounts.account_store import AccountStore, no_such_account
from messaging_service.accounts.domain.account import Account, AccountChanges, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.domain.opening import check_opened_as
from service_kit.audit.actor import Actor


class ManageAccounts:
    """The use case behind the calls about accounts themselves."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    async def open(
        self, account_id: str, mode: AccountMode, credit_limit: Decimal, limits: AccountLimits, *, actor: Actor
    ) -> tuple[Account, bool]:
        """Opens an account; whether it existed with these terms. Raises ServiceError ACCOUNT_EXISTS."""
        account, existed = await self._accounts.open(account_id, mode, credit_limit, limits, actor=actor)
        if existed:
            check_opened_as(account, mode, credit_limit, limits)
        return account, existed

    async def account(self, account_id: str) -> Account:
        """The account as it stands. Raises ServiceError ACCOUNT_NOT_FOUND."""
        return _existing(account_id, await self._accounts.account(account_id))

    async def update(self, account_id: str, changes: AccountChanges, *, actor: Actor) -> Account:
        """Changes an account; as it stands afterwards.

        Raises ServiceError ACCOUNT_NOT_FOUND, and what AccountStore.update raises.
        """
        return _existing(account_id, await self._accounts.update(account_id, changes, actor=actor))

    async def accounts(
        self, mode: AccountMode | None, status: AccountStatus | None, limit: int, after: str | None
    ) -> Sequence[Account]:
        """Accounts in the order of their ids, those behind an id; None is any."""
        return await self._accounts.accounts(mode, status, limit, after)


def _existing(account_id: str, account: Account | None) -> Account:
    if account is None:
        raise no_such_account(account_id)
    return account
