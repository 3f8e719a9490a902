"""Sweeps and the desk that takes receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.receipts.receipt_inbox import Worked
from messaging_service.receipts.upkeep import ReceiptProcessor, Sweeper
from messaging_service.shared.domain.states import State
from service_kit.errors import ServiceError
from tests.contract.sms_examples import acceptance
from tests.doubles.in_memory_outbox import LEASE_S
from tests.doubles.messaging_fakes import FailingOutbox, RecordedLog, unavailable, until

pytestmark = pytest.mark.timeout(10)


async def until_logged(log: RecordedLog, count: int) -> None:
    await until(lambda: len(log.lines) >= count)


async def test_the_first_sweep_comes_at_once_for_what_a_dead_process_left_behind() -> None:
    outbox, log = FailingOutbox(), RecordedLog()
    await outbox.accept([acceptance(claimed=True)])
    outbox.book.now += timedelta(seconds=LEASE_S + 1)
    sweeping = asyncio.ensure_future(Sweeper(outbox, log, routes=[DEFAULT_ROUTE], every_s=3_600).run())
    await until_logged(log, 1)
    sweeping.cancel()
    assert log.lines == [("swept", "1", "0")]
    assert {message.state for message in outbox.book.messages.values()} == {State.UNKNOWN}


async def test_a_sweep_that_fails_is_reported_and_repeated() -> None:
    outbox, log = FailingOutbox(), RecordedLog()
    outbox.sweep_failures = [unavailable(), RuntimeError("bug")]
    await outbox.accept([acceptance(claimed=True)])
    outbox.book.now += timedelta(seconds=LEASE_S + 1)
    sweeping = asyncio.ensure_future(Sweeper(outbox, log, routes=[DEFAULT_ROUTE], every_s=0.001).run())
    await until_logged(log, 3)
    sweeping.cancel()
    assert log.lines == [
        ("upkeep_failed", "sweep", "DATABASE_UNAVAILABLE"),
        ("upkeep_crashed", "sweep", "bug"),
        ("swept", "1", "0"),
    ]


class Inbox:
    """An inbox that says what a test tells it to, and counts."""

    def __init__(self) -> None:
        self.stored: list[DeliveryReceipt] = []
        self.passes: list[int | Exception] = []
        self.worked = 0
        self.limits: list[int] = []
        self.postponed = 0
        self.idle = asyncio.Event()

    async def store(self, receipts: Sequence[DeliveryReceipt]) -> None:
        if self.passes and isinstance(self.passes[0], ServiceError):
            raise self.passes[0]
        self.stored.extend(receipts)

    async def postpone_next(self) -> None:
        self.postponed += 1

    async def work(self, limit: int) -> Worked:
        self.limits.append(limit)
        self.worked += 1
        found = self.passes.pop(0) if self.passes else 0
        if isinstance(found, Exception):
            raise found
        if not self.passes:
            self.idle.set()
        return Worked(looked_at=min(found, limit), matched=0)


RECEIPT = DeliveryReceipt("smpp", "A1", ReceiptState.DELIVERED, None, None, None, None, "")


async def test_a_full_pass_is_followed_by_the_next_at_once() -> None:
    inbox = Inbox()
    inbox.passes = [5, 5, 3]
    desk = ReceiptProcessor(inbox, RecordedLog(), poll_s=3_600, max_batch=5)
    running = asyncio.ensure_future(desk.run())
    await inbox.idle.wait()
    running.cancel()
    assert inbox.worked == 3


async def test_a_receipt_is_stored_before_it_is_taken_and_worked_soon() -> None:
    inbox = Inbox()
    desk = ReceiptProcessor(inbox, RecordedLog(), poll_s=3_600)
    running = asyncio.ensure_future(desk.run())
    await inbox.idle.wait()
    inbox.idle.clear()
    await desk.take([RECEIPT])
    assert inbox.stored == [RECEIPT]
    await inbox.idle.wait()
    running.cancel()


async def test_a_receipt_that_cannot_be_stored_is_not_taken() -> None:
    inbox = Inbox()
    inbox.passes = [unavailable()]
    with pytest.raises(ServiceError):
        await ReceiptProcessor(inbox, RecordedLog(), poll_s=1).take([RECEIPT])


async def test_an_inbox_that_cannot_be_worked_is_reported_and_tried_again() -> None:
    inbox, log = Inbox(), RecordedLog()
    inbox.passes = [unavailable(), RuntimeError("bug"), 0]
    running = asyncio.ensure_future(ReceiptProcessor(inbox, log, poll_s=0.001).run())
    await inbox.idle.wait()
    running.cancel()
    assert log.lines == [
        ("upkeep_failed", "receipts", "DATABASE_UNAVAILABLE"),
        ("upkeep_crashed", "receipts", "bug"),
    ]


async def test_a_receipt_that_cannot_be_worked_does_not_hold_up_those_behind_it() -> None:
    inbox = Inbox()
    inbox.passes = [RuntimeError("bad batch"), 1, RuntimeError("bad receipt"), 5, 0]
    running = asyncio.ensure_future(ReceiptProcessor(inbox, RecordedLog(), poll_s=0.001, gather_s=0, max_batch=5).run())
    await inbox.idle.wait()
    running.cancel()
    assert inbox.postponed == 0, "the first receipt of the bad batch was worked alone"
    assert inbox.limits[:3] == [5, 1, 5]


async def test_the_receipt_at_fault_waits_longer_once_it_is_alone() -> None:
    inbox = Inbox()
    inbox.passes = [RuntimeError("bad batch"), RuntimeError("bad receipt"), 0]
    running = asyncio.ensure_future(ReceiptProcessor(inbox, RecordedLog(), poll_s=0.001, gather_s=0, max_batch=5).run())
    await inbox.idle.wait()
    running.cancel()
    assert inbox.postponed == 1
    assert inbox.limits == [5, 1, 1]
