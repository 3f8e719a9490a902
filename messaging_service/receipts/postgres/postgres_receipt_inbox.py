"""The inbox of delivery receipts on a PostgreSQL pool: every method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.receipts.postgres import receipt_matching, receipt_rows
from messaging_service.receipts.postgres.receipt_matching import ModesOf, any_mode
from messaging_service.receipts.postgres.receipt_spans import ReceiptSpans
from messaging_service.receipts.receipt_inbox import ReceiptInbox, Worked
from messaging_service.shared.kept_archives import Archive
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Pool, quick_transaction, single_statement
from service_kit.tracing.tracer import Tracer

# Ids rise with time, so the oldest rows come first, and a step reads no more rows than it may delete.
_FORGET = """
    DELETE FROM receipt WHERE id = ANY(ARRAY(
        SELECT id FROM (SELECT id, received_at, next_try_at FROM receipt ORDER BY id LIMIT %(limit)s) oldest
        WHERE received_at < now() - make_interval(secs => %(keep_s)s) AND next_try_at IS NULL
    ))
"""


class PostgresReceiptInbox(ReceiptInbox, Archive):
    """Implements ReceiptInbox, and Archive for receipts that wait for nothing any more."""

    def __init__(
        self,
        pool: Pool,
        owner: str,
        charge: ChargePolicy = ChargePolicy.ACCEPTANCE,
        contents: Contents = PLAIN,
        modes_of: ModesOf = any_mode,
        *,
        tracer: Tracer | None = None,
    ) -> None:
        """`owner` names this process in events. `charge`: what accounts pay for. `contents` seals carriers' words.

        `modes_of`: the modes of the messages that a carrier, by its name, may have been given. `tracer`: None where
        tracing is off.
        """
        self._tracer = tracer
        self._contents = contents
        self._modes_of = modes_of
        self._pool = pool
        self._owner = owner
        self._charge = charge

    @override
    async def store(self, receipts: Sequence[DeliveryReceipt]) -> None:
        sealer = await self._contents.sealer([""])
        async with migrated(single_statement(self._pool)) as connection:
            await receipt_rows.store(connection, receipts, sealer)

    @override
    async def work(self, limit: int) -> Worked:
        with ReceiptSpans(self._tracer) as spans:
            async with migrated(quick_transaction(self._pool)) as transaction:
                return await receipt_matching.work(
                    transaction, limit, self._owner, self._charge, self._modes_of, spans=spans
                )

    @override
    async def postpone_next(self) -> None:
        async with migrated(quick_transaction(self._pool)) as transaction:
            await receipt_rows.postpone_next(transaction)

    @override
    async def forget(self, keep_s: float, limit: int) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            return (await connection.execute(_FORGET, {"keep_s": keep_s, "limit": limit})).rowcount
