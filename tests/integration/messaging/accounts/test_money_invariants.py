"""Random histories of two instances: the money is right after every step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, ReceiptState
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.money import Price, PriceLevel
from messaging_service.shared.domain.states import Priority, State
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import acceptance, settlement
from tests.integration.messaging.accounts.money_rules import BROKEN, LEGAL
from tests.integration.messaging.conftest import MakeOutbox, receipt
from tests.system.effort import effort
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(effort(120, 600))

ROUNDS = effort(70, 500)
SEED = 20_240_601
STEPS_AT_ONCE = 6
ACCOUNTS = ("prepaid", "credit", "postpaid")
TEXTS = {1: "Habari", 2: "a" * 161, 3: "ж" * 140}
PHONES = [f"+25471234567{digit}" for digit in range(4)]
PRICES = [Price(Decimal(price), "cost_1", PriceLevel.TUKUPAY) for price in ("0.600000", "0.333333", "1.000001")]


class History:
    """One random history; every step is a call that a service makes."""

    def __init__(self, seed: int, url: str, outboxes: tuple[Replica, Replica]) -> None:
        self.random = Random(seed)
        self.url = url
        self.outboxes = outboxes
        self.claims: list[tuple[Replica, Claim]] = []
        self.messages: list[UUID] = []
        self.carrier_ids: list[tuple[str, str]] = []
        self.keys = 0
        self.answered: dict[str, int] = {}

    def step(self) -> Awaitable[None]:
        steps: list[Callable[[], Awaitable[None]]] = [
            *[self.accept] * 3,
            *[self.claim] * 2,
            *[self.settle] * 5,
            *[self.receipts] * 3,
            *[self.resend] * 2,
            self.cancel,
            self.sweep,
        ]
        return self.random.choice(steps)()

    def outbox(self) -> Replica:
        return self.random.choice(self.outboxes)

    def note(self, what: str) -> None:
        self.answered[what] = self.answered.get(what, 0) + 1

    async def accept(self) -> None:
        outbox, batch = self.outbox(), []
        for _ in range(self.random.randint(1, 5)):
            self.keys += self.random.choice([0, 1, 1, 1])
            batch.append(
                acceptance(
                    claimed=self.random.random() < 0.6,
                    price=self.random.choice(PRICES),
                    user_id=self.random.choice(ACCOUNTS),
                    message_id=f"key {self.keys}",
                    message=TEXTS[self.random.randint(1, 3)],
                    recipient_phone_number=self.random.choice(PHONES),
                    priority=self.random.choice(list(Priority)),
                    scheduled_time=self.random.choice([None, None, None, datetime.now(UTC) + timedelta(minutes=1)]),
                )
            )
        for answer in await outbox.accept(batch):
            if isinstance(answer, ServiceError):
                self.note(answer.reason)
            elif not answer.replayed:
                self.note("accepted")
                self.messages.append(answer.message.id)
                if answer.message.state is State.SUBMITTING:
                    self.claims.append((outbox, Claim(answer.message, 1, 0, 0.0)))

    async def claim(self) -> None:
        outbox = self.outbox()
        self.claims += [(outbox, claim) for claim in await outbox.claim(self.random.randint(1, 6))]

    async def settle(self) -> None:
        outbox = self.outbox()
        batch = []
        for owner, claim in self.random.sample(self.claims, min(len(self.claims), 4)):
            # Now and then by the wrong process, and those that were settled stay on the list to be so again.
            if owner is outbox or self.random.random() < 0.1:
                batch.append(settlement(claim, self.outcome(claim), self.random.random()))
        if batch:
            for settled in await outbox.settle(batch):
                assert not isinstance(settled, ServiceError)
                self.note("settled" if settled.applied else "not settled")
        self.claims = self.claims[-60:]

    def outcome(self, claim: Claim) -> Outcome:
        kind = self.random.choice([OutcomeKind.ACCEPTED, *OutcomeKind])
        taken = claim.message.units if kind is OutcomeKind.ACCEPTED else 0
        if kind in (OutcomeKind.UNKNOWN, OutcomeKind.REFUSED):
            taken = self.random.randint(0, claim.message.units - 1)
        ids = tuple(f"{self.random.randrange(16**8):08X}" for _ in range(taken))
        self.carrier_ids += [(carrier_id, claim.message.recipient) for carrier_id in ids]
        return Outcome(kind, "smpp", ids, None if kind is OutcomeKind.ACCEPTED else "CARRIER_BUSY", "raw")

    async def receipts(self) -> None:
        outbox = self.outbox()
        known = self.random.sample(self.carrier_ids, min(len(self.carrier_ids), 5))
        strays = [(f"{self.random.randrange(16**8):08X}", self.random.choice(PHONES)) for _ in range(2)]
        await outbox.receipts.store(
            [
                receipt(carrier_id, self.random.choice([ReceiptState.DELIVERED, *ReceiptState]), recipient=phone)
                for carrier_id, phone in [*known, *strays]
            ]
        )
        self.note(f"matched {min((await outbox.receipts.work(50)).matched, 1)}")

    async def resend(self) -> None:
        await self.amend(lambda outbox, message_id: outbox.resend(message_id, 3, accounts=None), "resent")

    async def cancel(self) -> None:
        await self.amend(lambda outbox, message_id: outbox.cancel(message_id, None), "cancelled")

    async def amend(self, call: Callable[[Replica, UUID], Awaitable[Any]], done: str) -> None:
        for message_id in self.random.sample(self.messages[-30:], min(len(self.messages), 4)):
            try:
                await call(self.outbox(), message_id)
            except ServiceError as error:
                if error.kind is not Kind.FAILED_PRECONDITION:
                    raise
                self.note(error.reason)
            else:
                self.note(done)

    async def sweep(self) -> None:
        swept = await self.outbox().sweep()
        self.note(f"orphaned {min(swept.orphaned, 1)}")
        self.note(f"expired {min(swept.expired, 1)}")

    async def check(self) -> None:
        for what, statement in BROKEN.items():
            broken = await rows(self.url, statement)
            assert not broken, f"{what}: {broken[:3]}"
        moves = await rows(self.url, "SELECT DISTINCT from_state, to_state FROM message_event")
        assert {(row[0], row[1]) for row in moves} <= LEGAL


async def test_the_money_is_right_whatever_happens(make_outbox: MakeOutbox, database_url: str) -> None:
    for account, mode, posted, limit in (
        ("prepaid", "prepaid", 40, 0),
        ("credit", "prepaid", 10, 5),
        ("postpaid", "postpaid", 0, 0),
    ):
        await rows(
            database_url,
            "INSERT INTO account (id, mode, posted, credit_limit) VALUES (%s, %s, %s, %s)",
            (account, mode, posted, limit),
        )
        if posted:
            await rows(
                database_url,
                "INSERT INTO ledger_entry (account_id, kind, amount, reference) VALUES (%s, 'top_up', %s, 'first')",
                (account, posted),
            )
    history = History(SEED, database_url, (await make_outbox("one"), await make_outbox("two")))
    for number in range(ROUNDS):
        await asyncio.gather(*(history.step() for _ in range(STEPS_AT_ONCE)))
        await pass_time(database_url, history.random.choice([0.5, 2, 5, 31]))
        if number % 10 == 9:
            await pass_time(database_url, history.random.choice([601, 3_601]))
        if number % 5 == 0:
            await history.check()
    await history.check()
    assert {
        "accepted",
        "settled",
        "not settled",
        "matched 1",
        "resent",
        "cancelled",
        "orphaned 1",
        "expired 1",
        "INSUFFICIENT_FUNDS",
        "MESSAGE_ID_REUSED",
        "NOT_FAILED",
    } <= set(history.answered)
    moves = await rows(database_url, "SELECT DISTINCT from_state, to_state FROM message_event")
    assert len(moves) >= 16, "the history was too tame"
