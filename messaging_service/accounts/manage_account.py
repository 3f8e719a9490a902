"""Shows one account to its owner, and records what the owner chooses for it."""

from __future__ import annotations

from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.domain.account import Account
from service_kit.errors import Kind, ServiceError


class ManageAccount:
    """The use case behind an account's own page."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    async def account(self, account_id: str) -> Account:
        """The account as it stands. Raises ServiceError ACCOUNT_NOT_FOUND."""
        return _existing(account_id, await self._accounts.account(account_id))

    async def update(self, account_id: str, *, resend_unknown: bool) -> Account:
        """Sets whether messages whose outcome is unknown are sent again. Raises ServiceError ACCOUNT_NOT_FOUND."""
        return _existing(account_id, await self._accounts.update(account_id, resend_unknown=resend_unknown))


def _existing(account_id: str, account: Account | None) -> Account:
    if account is None:
        raise ServiceError(
            Kind.NOT_FOUND,
            "ACCOUNT_NOT_FOUND",
            f"account {account_id} has neither been opened nor sent anything; check the id",
            metadata={"account": account_id},
        )
    return account
