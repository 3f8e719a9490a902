"""Late outcomes on a PostgreSQL pool: every method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents, Sealer
from messaging_service.privacy.sealing.places import event_place
from messaging_service.receipts.late_outcomes import LateOutcomeStore, LateSettlement, Verdict
from messaging_service.receipts.postgres import late_settlement
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Pool, transaction


class PostgresLateOutcomes(LateOutcomeStore):
    """Implements LateOutcomeStore."""

    def __init__(
        self,
        pool: Pool,
        owner: str,
        charge: ChargePolicy = ChargePolicy.ACCEPTANCE,
        contents: Contents = PLAIN,
    ) -> None:
        """`owner` names this process in events. `charge`: what accounts pay for. `contents` seals carriers' words."""
        self._contents = contents
        self._pool = pool
        self._owner = owner
        self._charge = charge

    @override
    async def settle_late(self, batch: Sequence[LateSettlement]) -> Sequence[Verdict]:
        sealer = await self._contents.sealer([""])
        sealed = [_sealed(item, sealer) for item in batch]
        async with migrated(transaction(self._pool)) as connection:
            return await late_settlement.settle_late(connection, sealed, self._owner, self._charge)


def _sealed(item: LateSettlement, sealer: Sealer) -> LateSettlement:
    """The same with the carrier's words as they are stored: in an envelope of no account."""
    words = sealer.words("", event_place(item.message_id), item.outcome.raw)
    return replace(item, outcome=replace(item.outcome, raw=words or ""))
