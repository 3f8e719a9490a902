"""One instance of the messaging service, as far as its database sees it."""

from __future__ import annotations

from typing import Any

from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Windows
from service_kit.postgres.database import Pool


class Replica(PostgresOutbox):
    """An outbox, with what else a process keeps on the same pool."""

    def __init__(self, pool: Pool, owner: str, windows: Windows, *further: Any, **named: Any) -> None:
        super().__init__(pool, owner, windows, *further, **named)
        self.accounts: AccountStore = PostgresAccountStore(pool)
