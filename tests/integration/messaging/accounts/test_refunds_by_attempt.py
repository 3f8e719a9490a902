"""Refunds are of charges, and a message has a charge for each attempt that a carrier took, over gRPC."""

from __future__ import annotations

import asyncio

import pytest

from messaging_service.accounts.postgres.postgres_ledger_store import PostgresLedgerStore
from messaging_service.carriers.domain.submission import ReceiptState
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import accepted, refused
from tests.integration.messaging.accounts.billing_calls import KES, POSTPAID, UNIT, Billing
from tests.integration.messaging.conftest import receipt
from tests.integration.messaging.reports.test_invoices import compared, lines, word
from tests.integration.messaging.reports.test_reports import Reports
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2, reports_pb2_grpc

pytestmark = pytest.mark.timeout(60)

SENT, FAILED = messaging_pb2.SMS_STATUS_SENT, messaging_pb2.SMS_STATUS_FAILED


@pytest.fixture
def billing(service: Running) -> Billing:
    return Billing(service)


class Attempts:
    """A message, attempt by attempt."""

    def __init__(self, service: Running, outbox: Replica) -> None:
        self.service = service
        self.outbox = outbox
        self.outbox_id = ""

    async def sent(self, reference: str) -> None:
        """The carrier takes the first attempt, or the next one after a resend."""
        self.service.carrier.answer = lambda _: accepted(reference)
        await self.attempt(SENT)

    async def refused(self) -> None:
        self.service.carrier.answer = lambda _: refused()
        await self.attempt(FAILED)

    async def attempt(self, status: messaging_pb2.SmsStatus.ValueType) -> None:
        if self.outbox_id:
            await self.service.sms.ResendSms(messaging_pb2.ResendSmsRequest(outbox_id=self.outbox_id))
        else:
            self.outbox_id = (await self.service.send()).entry.outbox_id
        await self.until(status)

    async def undelivered(self, reference: str) -> None:
        """A receipt says that the attempt did not arrive."""
        await self.outbox.receipts.store([receipt(reference, ReceiptState.UNDELIVERABLE)])
        await self.outbox.receipts.work(10)
        await self.until(FAILED)

    async def until(self, status: messaging_pb2.SmsStatus.ValueType) -> None:
        async with asyncio.timeout(20):
            while (await self.service.entry(self.outbox_id)).status != status:  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.005)


@pytest.fixture
def attempts(service: Running, outbox: Replica) -> Attempts:
    return Attempts(service, outbox)


def booked(answer: pb.RefundSmsResponse) -> list[tuple[int, int]]:
    return [(entry.attempt, entry.amount_micros) for entry in answer.entries]


async def test_the_charge_before_a_resend_that_was_not_charged_is_paid_back(
    service: Running, billing: Billing, attempts: Attempts
) -> None:
    await billing.open()
    await billing.top_up(10 * KES)
    await attempts.sent("A1")
    await attempts.undelivered("A1")
    await attempts.refused()
    answer = await billing.refund(attempts.outbox_id)
    assert (booked(answer), answer.replayed, answer.entry) == ([(1, UNIT)], False, answer.entries[-1])
    assert await service.money() == (10 * KES, 0)
    # The present attempt was never charged, and says so still.
    assert (await service.entry(attempts.outbox_id)).billing_state == messaging_pb2.BILLING_STATE_RELEASED
    assert (await billing.refund(attempts.outbox_id)).replayed
    assert await service.money() == (10 * KES, 0)
    assert not await billing.faults()


async def test_a_refund_names_the_attempt_whose_charge_it_pays_back(
    service: Running, billing: Billing, attempts: Attempts, database_url: str
) -> None:
    await attempts.sent("A1")
    await attempts.undelivered("A1")
    await attempts.sent("A2")
    first = await billing.refund(attempts.outbox_id, attempt=1)
    assert booked(first) == [(1, UNIT)]
    assert (await service.entry(attempts.outbox_id)).billing_state == messaging_pb2.BILLING_STATE_CHARGED
    again = await billing.refund(attempts.outbox_id, attempt=1)
    assert (again.replayed, again.entry) == (True, first.entry)
    error = await refusal_of(billing.refund(attempts.outbox_id, attempt=3))
    assert (error.reason, error.metadata["attempt"]) == ("NOT_CHARGED", "3")
    assert [v.field for v in (await refusal_of(billing.refund(attempts.outbox_id, attempt=0))).violations] == [
        "attempt"
    ]
    assert booked(await billing.refund(attempts.outbox_id)) == [(2, UNIT)]
    assert (await service.entry(attempts.outbox_id)).billing_state == messaging_pb2.BILLING_STATE_REFUNDED
    assert await service.money() == (0, 0)
    ledger = await rows(database_url, "SELECT kind, attempt FROM ledger_entry ORDER BY kind, attempt")
    assert ledger == [("charge", 1), ("charge", 2), ("refund", 1), ("refund", 2)]
    assert not await billing.faults()


async def test_without_an_attempt_every_charge_is_paid_back_once_whoever_asks(
    service: Running, billing: Billing, attempts: Attempts
) -> None:
    await attempts.sent("A1")
    await attempts.undelivered("A1")
    await attempts.sent("A2")
    await attempts.undelivered("A2")
    answers = await asyncio.gather(*(billing.refund(attempts.outbox_id) for _ in range(8)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert {tuple(booked(answer)) for answer in answers} == {((1, UNIT), (2, UNIT))}
    assert await service.money() == (0, 0)
    assert not await billing.faults()


async def test_what_an_invoice_calls_charged_but_failed_is_settled_by_the_refund_of_that_attempt(
    service: Running, billing: Billing, attempts: Attempts, database_url: str
) -> None:
    await billing.open(mode=POSTPAID)
    await attempts.sent("A1")
    await attempts.undelivered("A1")
    await attempts.sent("A2")
    invoice = lines({"carrier_message_id": "A1", "failed": True}, {"carrier_message_id": "A2"})
    async with create_pool(database_url, "books") as pool:
        reports = Reports(reports_pb2_grpc.ReportServiceStub(service.channel), PostgresLedgerStore(pool), database_url)
        (exception,), _ = await compared(reports, invoice, carrier="smpp")
        assert (word(exception), exception.attempt) == ("CHARGED_BUT_FAILED", 1)
        await billing.refund(exception.outbox_id, attempt=exception.attempt)
        assert (await compared(reports, invoice, carrier="smpp"))[0] == []
    assert await service.money() == (-UNIT, 0)
