"""Every money transaction, broken off before and after each of its statements: all of it happened or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random

import pytest

from messaging_service.accounts.domain.account import AccountMode
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.domain.ledger import EntryKind, NewEntry
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.message import Message
from service_kit.audit.actor import PLATFORM
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import ACCOUNT, PRICE, acceptance, accepted, refused, settlement
from tests.integration.messaging.accounts.money_rules import BROKEN
from tests.integration.messaging.conftest import WINDOWS, MakeOutbox, money, receipt, record, sent
from tests.integration.messaging.cut_connections import Fuse, breaking_pool
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import EMPTY, rows
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc, messaging_pb2

TOTAL = PRICE.unit_price
PAYMENT = NewEntry(ACCOUNT, EntryKind.TOP_UP, Decimal("2.5"), "QK1", None, "wanjiru")
MOST_STATEMENTS = 40


class CountedFuse(Fuse):
    """Breaks the connection at the nth place where it could break, once; never for None."""

    def __init__(self) -> None:
        super().__init__(Random(0), 0.0)
        self.left: int | None = None

    def blows(self, place: str) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        if self.left >= 0:
            return False
        self.left = None
        self.blown[place] = 1
        return True


class Broken:
    """An outbox and books whose connections break on demand, beside ones that do not."""

    def __init__(self, url: str, whole: Replica, outbox: Replica, books: PostgresLedgerStore) -> None:
        self.url = url
        self.whole = whole
        self.outbox = outbox
        self.books = books
        self.item = acceptance(claimed=True)
        self.message: Message | None = None

    async def nothing_yet(self) -> None:
        """For what needs no message."""

    async def recorded(self) -> None:
        self.message = await record(self.outbox, acceptance(claimed=True))

    async def waits(self) -> None:
        self.message = await record(self.outbox, acceptance())

    async def charged(self) -> None:
        self.message = await sent(self.outbox, accepted("C1"))

    async def failed(self) -> None:
        self.message = await sent(self.outbox, refused())

    async def reported(self) -> None:
        await self.charged()
        await self.whole.receipts.store([receipt("C1", ReceiptState.DELIVERED)])

    async def accept(self) -> None:
        await self.outbox.accept([self.item])

    async def settle(self) -> None:
        assert self.message is not None
        await self.outbox.settle([settlement(Claim(self.message, 1, 0, 0.0), accepted("C1"))])

    async def cancel(self) -> None:
        assert self.message is not None
        await self.outbox.cancel(self.message.id, None)

    async def resend(self) -> None:
        assert self.message is not None
        await self.outbox.resend(self.message.id, 3, accounts=None)

    async def apply(self) -> None:
        await self.outbox.receipts.work(10)

    async def pay(self) -> None:
        await self.books.book(PAYMENT, actor=PLATFORM)

    async def refund(self) -> None:
        assert self.message is not None
        await self.books.refund(self.message.id, "it never arrived", "wanjiru", actor=PLATFORM)

    async def check(self) -> None:
        for what, statement in BROKEN.items():
            broken = await rows(self.url, statement)
            assert not broken, f"{what}: {broken}"


Step = Callable[[Broken], Awaitable[None]]
TRANSACTIONS: dict[str, tuple[Step, Step, tuple[Decimal, Decimal]]] = {
    # What it needs, what is done, and posted and held after it was done once.
    "accept": (Broken.nothing_yet, Broken.accept, (Decimal(0), TOTAL)),
    "settle": (Broken.recorded, Broken.settle, (-TOTAL, Decimal(0))),
    "cancel": (Broken.waits, Broken.cancel, (Decimal(0), Decimal(0))),
    "resend": (Broken.failed, Broken.resend, (Decimal(0), TOTAL)),
    "receipt": (Broken.reported, Broken.apply, (-TOTAL, Decimal(0))),
    "top-up": (Broken.nothing_yet, Broken.pay, (PAYMENT.amount, Decimal(0))),
    "refund": (Broken.charged, Broken.refund, (Decimal(0), Decimal(0))),
}


@pytest.mark.parametrize("name", TRANSACTIONS)
async def test_a_transaction_that_breaks_off_anywhere_happens_once_when_it_is_repeated(
    name: str, database_url: str, make_outbox: MakeOutbox
) -> None:
    prepare, act, after = TRANSACTIONS[name]
    fuse = CountedFuse()
    whole = await make_outbox("here")
    async with breaking_pool(database_url, fuse, size=1) as pool:
        for place in range(MOST_STATEMENTS):
            await rows(database_url, EMPTY)
            broken = Broken(database_url, whole, Replica(pool, "here", WINDOWS), PostgresLedgerStore(pool))
            await PostgresAccountStore(pool).open(
                ACCOUNT, AccountMode.POSTPAID, Decimal(0), AccountLimits(None, None, None), actor=PLATFORM
            )
            await prepare(broken)
            fuse.left = place
            was_cut = await cut(broken, act, fuse)
            await broken.check()
            # What was not answered is asked for again; what had happened is found, or refused as done.
            if was_cut:
                await repeated(broken, act)
            await broken.check()
            assert await money(whole) == after, f"{name}, cut at {place}: {fuse.blown}"
            if not was_cut:
                break
        else:
            pytest.fail(f"{name} has more than {MOST_STATEMENTS} places to break")
    assert {"before statement", "after statement"} <= set(fuse.blown)


async def cut(broken: Broken, act: Step, fuse: CountedFuse) -> bool:
    """Does it with a connection that breaks; whether it did break."""
    try:
        await act(broken)
    except ServiceError as error:
        if error.kind is not Kind.UNAVAILABLE:
            raise
        return True
    # Acceptances try again by themselves.
    broke, fuse.left = fuse.left is None, None
    return broke


async def repeated(broken: Broken, act: Step) -> None:
    try:
        await act(broken)
    except ServiceError as error:
        if error.kind is not Kind.FAILED_PRECONDITION:
            raise


async def test_two_hundred_clients_share_the_money_of_one_account_to_the_last_cent(service: Running) -> None:
    allowed, unit = 70, 600_000
    billing = accounts_pb2_grpc.AccountServiceStub(service.channel)
    await billing.OpenAccount(accounts_pb2.OpenAccountRequest(user_id="shop", mode=accounts_pb2.ACCOUNT_MODE_PREPAID))
    await billing.TopUp(
        # Short of one message more by a millionth of a shilling.
        accounts_pb2.TopUpRequest(
            user_id="shop", amount_micros=(allowed + 1) * unit - 1, reference="QK1", booked_by="till"
        )
    )
    sends = [service.send(user_id="shop", message_id=f"client {number}") for number in range(200)]
    answers = await asyncio.gather(*sends, return_exceptions=True)
    succeeded = [answer for answer in answers if isinstance(answer, messaging_pb2.SendSmsResponse)]
    assert len(succeeded) == allowed
    assert {answer.entry.status for answer in succeeded} == {messaging_pb2.SMS_STATUS_SENT}
    assert await service.money("shop") == (unit - 1, 0)
    assert (await refusal_of(service.send(user_id="shop"))).reason == "INSUFFICIENT_FUNDS"
    stored_entries = messaging_pb2.ListOutboxEntriesRequest(user_id="shop", page_size=200)
    assert len((await service.sms.ListOutboxEntries(stored_entries)).entries) == allowed
    verified = await billing.VerifyBooks(accounts_pb2.VerifyBooksRequest())
    assert not verified.faults
