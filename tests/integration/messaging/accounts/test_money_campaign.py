"""Many clients that send, pay, correct and refund at once over connections that break: the money is right throughout.

`TUKUPAY_MONEY_OPERATIONS=1000000` makes it the long campaign, which tells how it went; without it it is short.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import count
from random import Random

import pytest

from messaging_service.accounts.domain.account import AccountMode
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.domain.ledger import EntryKind, NewEntry
from messaging_service.accounts.ledger_store import Booked
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.sending.postgres.postgres_outbox import Windows
from service_kit.audit.actor import PLATFORM
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import create_pool
from tests.integration.messaging.accounts.money_rules import BROKEN
from tests.integration.messaging.accounts.test_money_invariants import ACCOUNTS, History
from tests.integration.messaging.cut_connections import Fuse, breaking_pool
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica

OPERATIONS = int(os.environ.get("TUKUPAY_MONEY_OPERATIONS", "2000"))
pytestmark = pytest.mark.timeout(120 + OPERATIONS // 100)

SEED = 20_241_122
CLIENTS = 12
ODDS = 1 / 60 if OPERATIONS < 20_000 else 1 / 600
"""Of a statement to be the last of its connection; a new one takes the time of many statements."""
# Short, as time is not moved here: what is left behind is taken up while the campaign goes on.
WINDOWS = Windows(lease_s=1.0, margin_s=0.3, unknown_s=2.0, queue_s=5.0)
SWITCHES = {"prepaid": AccountMode.PREPAID, "credit": AccountMode.PREPAID, "postpaid": AccountMode.POSTPAID}


def tell(line: str) -> None:
    """To whoever runs the long campaign with -s."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Campaign(History):
    """A history with payments, corrections and refunds, on connections that break."""

    def __init__(self, url: str, outboxes: tuple[Replica, Replica], books: PostgresLedgerStore) -> None:
        super().__init__(SEED, url, outboxes)
        self.books = books
        self.references = count(1)
        self.paid: dict[str, Decimal] = dict.fromkeys(ACCOUNTS, Decimal(0))
        self.operations = 0

    def note(self, what: str) -> None:
        super().note(what)
        self.operations += 1

    async def client(self) -> None:
        """One of many who do things until there were enough of them."""
        own: list[Callable[[], Awaitable[None]]] = [self.top_up, self.adjust, *[self.refund] * 2]
        while self.operations < OPERATIONS:
            try:
                await (self.random.choice(own)() if self.random.random() < 0.2 else self.step())
            except ServiceError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise
                self.note("broken off")
            del self.messages[:-200], self.carrier_ids[:-400]

    async def top_up(self) -> None:
        amount = Decimal(self.random.randint(1, 5_000_000)).scaleb(-6)
        await self.book(EntryKind.TOP_UP, amount)

    async def adjust(self) -> None:
        amount = Decimal(self.random.choice([-1, 1]) * self.random.randint(1, 2_000_000)).scaleb(-6)
        await self.book(EntryKind.ADJUSTMENT, amount)

    async def book(self, kind: EntryKind, amount: Decimal) -> None:
        """LedgerStore until it is answered, as a payer would: the reference makes it one booking."""
        account, reference = self.random.choice(ACCOUNTS), f"reference {next(self.references)}"
        reason = "checked" if kind is EntryKind.ADJUSTMENT else None
        entry = NewEntry(account, kind, amount, reference, reason, "wanjiru")
        tries = 0
        while True:
            tries += 1
            try:
                booked: Booked = await self.books.book(entry, actor=PLATFORM)
            except ServiceError as error:
                if error.kind is Kind.UNAVAILABLE:
                    self.note("booking broken off")
                    continue
                raise
            self.paid[account] += amount
            self.note(f"{kind.value} replayed" if booked.replayed else kind.value)
            assert tries > 1 or not booked.replayed
            return

    async def refund(self) -> None:
        for message_id in self.random.sample(self.messages, min(len(self.messages), 2)) * 2:
            attempt = self.random.choice([None, None, None, None, 1, 2, 3])
            what = "refund" if attempt is None else "refund of an attempt"
            try:
                refunded = await self.books.refund(message_id, "it never arrived", "wanjiru", attempt, actor=PLATFORM)
            except ServiceError as error:
                if error.reason != "NOT_CHARGED":
                    raise
                self.note(f"{what} NOT_CHARGED")
            else:
                assert attempt is None or [entry.attempt for entry in refunded.entries] == [attempt]
                self.note(f"{what} replayed" if refunded.replayed else what)

    async def check(self) -> None:
        """Every rule is one statement, and so holds in any snapshot, also while others are at work."""
        for what, statement in BROKEN.items():
            broken = await rows(self.url, statement)
            assert not broken, f"{what}: {broken[:3]}"

    async def checks(self) -> int:
        """Looks at the books again and again while the clients work; how often."""
        looks, last, tenth = 0, time.monotonic(), OPERATIONS // 8
        reached = 0
        while self.operations < OPERATIONS:
            await asyncio.sleep(0.05)  # the clients have their turn; each look waits for as much work as the last
            if self.operations - reached >= tenth:
                reached, looks = self.operations, looks + 1
                await self.check()
                now = time.monotonic()
                tell(f"{reached:,} operations, right; {now - last:.0f} s since the look before")
                last = now
        return looks


async def test_the_money_is_right_whoever_pays_whatever_breaks(database_url: str) -> None:
    fuse = Fuse(Random(SEED), 0.0)
    pools = [breaking_pool(database_url, fuse, size=6) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for pool in pools:
            await stack.enter_async_context(pool)
        outboxes = Replica(pools[0], "one", WINDOWS), Replica(pools[1], "two", WINDOWS)
        campaign = Campaign(database_url, outboxes, PostgresLedgerStore(pools[2]))
        for account, mode in SWITCHES.items():
            limit = Decimal(5) if account == "credit" else Decimal(0)
            await PostgresAccountStore(pools[2]).open(
                account, mode, limit, AccountLimits(None, None, None), actor=PLATFORM
            )
        fuse.odds = ODDS
        begun = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(campaign.client()) for _ in range(CLIENTS)]
            looking = tasks.create_task(campaign.checks())
        took = time.monotonic() - begun
        assert all(client.done() for client in clients)
        assert looking.result() >= 5
        await campaign.check()
    async with create_pool(database_url, "verifying") as pool:
        verified = await PostgresLedgerStore(pool).verify(None, 10)
    assert verified.faults == ()
    booked = await rows(
        database_url,
        "SELECT account_id, sum(amount) FROM ledger_entry WHERE kind IN ('top_up', 'adjustment') GROUP BY account_id",
    )
    assert dict(booked) == campaign.paid
    told = f"{campaign.operations:,} operations in {took:.0f} s, drift 0; {verified}; {fuse.blown}"
    tell(f"{told}; {dict(sorted(campaign.answered.items()))}")
    assert {"before COMMIT", "after COMMIT", "before statement", "after statement"} <= set(fuse.blown)
    assert {
        "accepted",
        "settled",
        "resent",
        "cancelled",
        "INSUFFICIENT_FUNDS",
        "top_up",
        "adjustment",
        "refund",
        "refund replayed",
        "refund of an attempt",
        "refund of an attempt NOT_CHARGED",
        "broken off",
        "orphaned 1",
    } <= set(campaign.answered)
