"""Late outcomes on a PostgreSQL pool: every method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.receipts.late_outcomes import LateOutcomeStore, LateSettlement, Verdict
from messaging_service.receipts.postgres import late_settlement
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Pool, transaction


class PostgresLateOutcomes(LateOutcomeStore):
    """Implements LateOutcomeStore."""

    def __init__(self, pool: Pool, owner: str, charge: ChargePolicy = ChargePolicy.ACCEPTANCE) -> None:
        """`owner` names this process in events. `charge`: what accounts pay for."""
        self._pool = pool
        self._owner = owner
        self._charge = charge

    @override
    async def settle_late(self, batch: Sequence[LateSettlement]) -> Sequence[Verdict]:
        async with migrated(transaction(self._pool)) as connection:
            return await late_settlement.settle_late(connection, batch, self._owner, self._charge)
