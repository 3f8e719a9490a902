"""The outbox on a PostgreSQL pool: every method is one transaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from typing_extensions import override

from messaging_service.abuse.domain.block_counts import BlockCounts
from messaging_service.abuse.domain.recipient_windows import OTPS, OtpRule
from messaging_service.abuse.postgres.send_guards import Counting
from messaging_service.accounts.domain.account import UnknownAccounts
from messaging_service.accounts.postgres import recipient_limits
from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.opt_outs.domain.suppression import NOBODY_EXEMPT, Exemption
from messaging_service.privacy.sealing.key_ring import keys_unavailable
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents, Sealer
from messaging_service.sending.outbox import Acceptance, Accepted, Claim, ListFilter, Outbox, Settled, Settlement, Swept
from messaging_service.sending.postgres import (
    accept_messages,
    acceptance,
    queue,
    reading,
    resend_cancel,
    settlement,
    unknown,
)
from messaging_service.shared.domain.message import Message
from messaging_service.shared.postgres.lagging_reads import LaggingReads
from messaging_service.shared.postgres.migrated import migrated
from service_kit.access.principal import Accounts
from service_kit.errors import ServiceError
from service_kit.postgres.database import Pool, quick_transaction, single_statement, transaction

FORGET_AT_ONCE = 1_000
"""Counts of past hours that one sweep removes."""
ACCEPT_PAUSES_S = (0.05, 0.5)
"""How long to wait before recording a batch again after the database failed it."""
ACCEPT_AGAIN_S = 10.0
"""A try that took this long is the last one: a database that stands still would hold up the next as long."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How long things may stay open, in seconds."""

    lease_s: float
    """How long a claim lasts."""
    margin_s: float
    """How long before the end of its lease a claim is no longer used."""
    unknown_s: float
    """How long an unknown outcome waits for a receipt."""
    queue_s: float
    """How long a due message waits for a carrier."""
    resend_unknown_s: float = 300.0
    """How long an unknown outcome of an account that wants it waits before the message is sent again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How often a message is sent, and who may send."""

    max_retries: int = 3
    """Resends of a message, those that happen by themselves included."""
    unknown_accounts: UnknownAccounts = UnknownAccounts.POSTPAID
    otps: OtpRule = OTPS


class PostgresOutbox(Outbox):
    """Implements Outbox."""

    def __init__(
        self,
        pool: Pool,
        owner: str,
        windows: Windows,
        exemption: Exemption = NOBODY_EXEMPT,
        rules: Rules = Rules(),
        *,
        contents: Contents = PLAIN,
        blocks: BlockCounts | None = None,
        reads: LaggingReads | None = None,
        with_traces: bool = False,
    ) -> None:
        """`owner` names this process in claims and events; no two running processes share it.

        `exemption`: the messages that reach a phone although it opted out; none unless given.
        `contents` seals and opens texts, before and after transactions; they are stored as they are unless given.
        `blocks` takes what went to blocks of numbers, which somebody else puts on record; nobody unless given.
        `reads`: where lists are read, which may be a moment old; from the same pool unless given.
        `with_traces`: whether claims look for the traces of messages that are sampled.
        """
        self._with_traces = with_traces
        self._reads = reads or LaggingReads(pool)
        self._contents = contents
        self._exemption = exemption
        self._pool = pool
        self._owner = accept_messages.Owner(owner, windows.lease_s, windows.lease_s - windows.margin_s)
        self._windows = windows
        self._rules = rules
        self._unknown = settlement.UnknownTimes(windows.unknown_s, windows.resend_unknown_s)
        self._blocks = blocks or BlockCounts()
        self._toward_share: dict[str, int] = {}

    @override
    async def accept(self, batch: Sequence[Acceptance]) -> Sequence[Accepted | ServiceError]:
        sealer = await self._contents.sealer({item.request.account_id for item in batch})
        ready = [item for item in batch if sealer.can_seal(item.request.account_id)]
        answers = iter(await self._accept_sealed(ready, sealer)) if ready else iter(())
        return [next(answers) if sealer.can_seal(item.request.account_id) else keys_unavailable() for item in batch]

    async def _accept_sealed(self, batch: Sequence[Acceptance], sealer: Sealer) -> Sequence[Accepted | ServiceError]:
        # When the connection breaks at the commit, nobody knows whether the batch is on record. The ids are
        # made already, so trying again finds out: what was recorded is found under its own key.
        give_up = time.monotonic() + ACCEPT_AGAIN_S
        for pause_s in ACCEPT_PAUSES_S:
            try:
                return await self._accept(batch, sealer)
            except ServiceError:
                if time.monotonic() >= give_up:
                    raise
                await asyncio.sleep(pause_s)
        return await self._accept(batch, sealer)

    async def _accept(self, batch: Sequence[Acceptance], sealer: Sealer) -> Sequence[Accepted | ServiceError]:
        # The COMMIT leaves only when the rows are here: a process that dies while they are written has recorded
        # nothing, where one that had sent both would leave messages behind that nobody submits.
        with self._blocks.noting() as tally:
            async with migrated(quick_transaction(self._pool)) as transaction:
                decided = await acceptance.accept(
                    transaction,
                    batch,
                    self._owner,
                    self._exemption,
                    self._rules.unknown_accounts,
                    sealer=sealer,
                    counting=Counting(self._rules.otps, tally),
                )
        return (await decided.opened(self._contents)).answers(batch, sealer)

    @override
    async def claim(self, limit: int, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> Sequence[Claim]:
        # Read before the transaction: the lease cannot have begun earlier than this.
        began = time.monotonic()
        # Slots often become free one by one: the share of the normal lane is counted over all claims, as
        # rounding it up in each would leave nothing to the high lane.
        floor, self._toward_share[route] = divmod(self._toward_share.get(route, 0) + limit, queue.NORMAL_SHARE)
        wanted = queue.Wanted(route, sorted(carriers), limit, floor, self._with_traces)
        async with migrated(transaction(self._pool)) as connection:
            claims = await queue.claim(connection, wanted, self._owner, began)
        # A text whose key cannot be had now stays sealed: its attempt ends before a byte leaves, and comes again.
        messages = await self._contents.opened_where_possible([claim.message for claim in claims])
        return [replace(claim, message=message) for claim, message in zip(claims, messages, strict=True)]

    @override
    async def settle(self, batch: Sequence[Settlement]) -> Sequence[Settled | ServiceError]:
        # Without its key an outcome is recorded all the same, and the carrier's words are lost.
        sealer = await self._contents.sealer({item.message.account_id for item in batch})
        async with migrated(single_statement(self._pool)) as connection:
            return await settlement.settle(connection, batch, self._owner.name, self._unknown, sealer)

    @override
    async def sweep(self) -> Swept:
        async with migrated(transaction(self._pool)) as connection:
            orphaned = await queue.park_orphans(connection, self._owner.name, self._unknown)
        async with migrated(transaction(self._pool)) as connection:
            expired = await queue.expire_overdue(connection, self._owner.name, self._windows.queue_s)
        with self._blocks.noting() as tally:
            async with migrated(transaction(self._pool)) as connection:
                counting = Counting(self._rules.otps, tally)
                resent = await unknown.resend_unknown(
                    connection, self._owner.name, self._rules.max_retries, queue.SWEEP_LIMIT, counting
                )
        more = max(orphaned, expired, resent) >= queue.SWEEP_LIMIT
        async with migrated(single_statement(self._pool)) as connection:
            await recipient_limits.forget_recipients(connection, FORGET_AT_ONCE)
        return Swept(orphaned=orphaned, expired=expired, resent=resent, more=more)

    @override
    async def reroute(self, known: Collection[str]) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            return await queue.reroute(connection, known)

    @override
    async def seconds_to_next_due(self, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> float | None:
        async with migrated(single_statement(self._pool)) as connection:
            return await queue.seconds_to_next_due(connection, route, carriers)

    @override
    async def resend(
        self,
        message_id: UUID,
        max_retries: int,
        route: str = DEFAULT_ROUTE,
        *,
        accounts: Accounts,
        api_key: str | None = None,
    ) -> Message:
        with self._blocks.noting() as tally:
            async with migrated(transaction(self._pool)) as connection:
                return await resend_cancel.resend(
                    connection,
                    message_id,
                    max_retries,
                    route,
                    self._owner.name,
                    exemption=self._exemption,
                    contents=self._contents,
                    accounts=accounts,
                    counting=Counting(self._rules.otps, tally),
                    api_key=api_key,
                )

    @override
    async def cancel(self, message_id: UUID, accounts: Accounts) -> Message:
        async with migrated(transaction(self._pool)) as connection:
            message = await resend_cancel.cancel(connection, message_id, self._owner.name, accounts)
        (shown,) = await self._contents.opened_where_possible([message])
        return shown

    @override
    async def find(self, account_id: str, key: str, fingerprint: bytes) -> Message | None:
        async with migrated(single_statement(self._pool)) as connection:
            found = await reading.find_message(connection, account_id, key)
        if found is None:
            return None
        message, stored = found
        if not (await self._contents.sealer([])).is_stored(fingerprint, stored):
            return None
        (opened,) = await self._contents.opened([message])
        return opened

    @override
    async def get(self, message_id: UUID, accounts: Accounts) -> Message | None:
        async with migrated(single_statement(self._pool)) as connection:
            found = await reading.get_message(connection, message_id, accounts)
        if found is None:
            return None
        (message,) = await self._contents.opened([found])
        return message

    @override
    async def get_many(self, message_ids: Sequence[UUID]) -> Sequence[Message]:
        async with migrated(single_statement(self._pool)) as connection:
            found = await reading.get_messages(connection, message_ids)
        return await self._contents.opened(found)

    @override
    async def list(self, wanted: ListFilter, limit: int, after: tuple[datetime, UUID] | None) -> Sequence[Message]:
        sealer = await self._contents.sealer([])
        found = await self._reads.read(
            lambda connection: reading.list_messages(connection, wanted, limit, after, sealer),
            before=None if after is None else after[0],
        )
        return await self._contents.opened(found)
