"""Where accounts may send to: their own countries, or else those of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from messaging_service.accounts.account_store import AccountStore
from messaging_service.shared.phone_numbers import DestinationCheck


class AccountDestinations:
    """Implements AccountDestinationCheck before a message is recorded.

    What an account forbids itself is refused when the message is recorded, under the lock of the account; so nearly
    every message passes here without a question to the database.
    """

    def __init__(
        self, service: DestinationCheck, accounts: AccountStore, own: Callable[[tuple[str, ...]], DestinationCheck]
    ) -> None:
        """`service`: for accounts without countries of their own. `own`: the check of an account's countries."""
        self._service = service
        self._accounts = accounts
        self._own = own
        # Numbers abroad may come as fast as somebody likes, and payments share the connections. Who waits here is bound
        # by the deadline of their call.
        self._one_question = asyncio.Semaphore(1)

    async def __call__(self, account_id: str, number: str, /) -> str | None:
        """See AccountDestinationCheck."""
        problem = self._service(number)
        if problem is None:
            return None
        async with self._one_question:
            account = await self._accounts.account(account_id)
        if account is None or account.limits.destinations is None:
            return problem
        return self._own(account.limits.destinations)(number)
