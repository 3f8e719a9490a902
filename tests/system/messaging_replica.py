"""One instance of the messaging service, as far as its database sees it."""

from __future__ import annotations

from messaging_service.abuse.domain.block_counts import BlockCounts
from messaging_service.abuse.postgres.block_hours import BlockHours
from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.opt_outs.domain.suppression import NOBODY_EXEMPT, Exemption
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.receipts.postgres.postgres_late_outcomes import PostgresLateOutcomes
from messaging_service.receipts.postgres.postgres_receipt_inbox import PostgresReceiptInbox
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Rules, Windows
from service_kit.postgres.database import Pool
from tests.doubles.duty_log import StrictDuties


class Replica(PostgresOutbox):
    """An outbox, with what else a process keeps on the same pool."""

    def __init__(
        self,
        pool: Pool,
        owner: str,
        windows: Windows,
        exemption: Exemption = NOBODY_EXEMPT,
        *,
        rules: Rules | None = None,
        charge: ChargePolicy = ChargePolicy.ACCEPTANCE,
        contents: Contents = PLAIN,
    ) -> None:
        blocks = BlockCounts()
        super().__init__(pool, owner, windows, exemption, rules or Rules(), contents=contents, blocks=blocks)
        self.hours = BlockHours(pool, blocks, StrictDuties())
        self.accounts: AccountStore = PostgresAccountStore(pool)
        self.receipts = PostgresReceiptInbox(pool, owner, charge, contents)
        self.late = PostgresLateOutcomes(pool, owner, charge, contents)
