"""Ports by hand: prices that a test sets, and logs that it can read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.sending.outbox import Acceptance, Accepted, Claim, Settled, Settlement, Swept
from messaging_service.shared.domain.money import SendPrice
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import NOON, PRICE
from tests.doubles.in_memory_outbox import Book, InMemoryOutbox


async def until(condition: Callable[[], bool]) -> None:
    """Lets everybody else run until a condition holds; the deadline is the test's own."""
    while not condition():  # noqa: ASYNC110 - an event would have to be built into what is watched
        await asyncio.sleep(0)


def unavailable(reason: str = "DATABASE_UNAVAILABLE") -> ServiceError:
    """What a use case sees while something is away."""
    return ServiceError(Kind.UNAVAILABLE, reason, "away")


class FixedPrices:
    """Implements Prices."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, str | None, datetime | None]] = []
        self.failure: ServiceError | None = None

    async def price_of(self, customer_id: str, app_id: str | None, at: datetime | None) -> SendPrice:
        self.questions.append((customer_id, app_id, at))
        if self.failure is not None:
            raise self.failure
        return SendPrice(PRICE, at or NOON, NOON - timedelta(days=1))


class RecordedLog:
    """Implements the log ports of all use cases."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = []
        self.errors: list[BaseException] = []

    def settlement_lost(self, message_id: str, outcome: str) -> None:
        self.lines.append(("settlement_lost", message_id, outcome))

    def settlement_crashed(self, message_id: str, error: Exception) -> None:
        self.lines.append(("settlement_crashed", message_id, str(error)))

    def attempt_failed(self, error: BaseException) -> None:
        self.errors.append(error)

    def breaker_opened(self, carrier: str, seconds: float) -> None:
        self.lines.append(("breaker_opened", carrier, str(seconds)))

    def breaker_closed(self, carrier: str) -> None:
        self.lines.append(("breaker_closed", carrier))

    def carrier_mode(self, carrier: str, mode: CarrierMode) -> None:
        self.lines.append(("carrier_mode", carrier, mode))

    def carrier_mode_failed(self, carrier: str, mode: CarrierMode, error: Exception) -> None:
        self.lines.append(("carrier_mode_failed", carrier, mode, str(error)))

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        self.lines.append(("upkeep_crashed", duty, str(error)))

    def swept(self, swept: Swept) -> None:
        self.lines.append(("swept", str(swept.orphaned), str(swept.expired)))

    def rerouted(self, messages: int) -> None:
        self.lines.append(("rerouted", str(messages)))

    def opted(self, worked: WorkedInbound) -> None:
        self.lines.append(("opted", str(worked.opted_out), str(worked.opted_in)))

    def queued_stopped(self, messages: int) -> None:
        self.lines.append(("queued_stopped", str(messages)))

    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        self.lines.append(("upkeep_failed", duty, error.reason))


class FailingOutbox(InMemoryOutbox):
    """An outbox whose calls fail with what the test puts on the list of that call, first come first served."""

    def __init__(self, book: Book | None = None) -> None:
        super().__init__(book or Book())
        self.accept_failures: list[Exception] = []
        self.claim_failures: list[Exception] = []
        self.settle_failures: list[Exception] = []
        self.sweep_failures: list[Exception] = []
        self.claim_limits: list[int] = []
        self.settled: list[Settlement] = []

    async def accept(self, batch: Sequence[Acceptance]) -> Sequence[Accepted | ServiceError]:
        if self.accept_failures:
            raise self.accept_failures.pop(0)
        return await super().accept(batch)

    async def claim(self, limit: int, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> Sequence[Claim]:
        self.claim_limits.append(limit)
        if self.claim_failures:
            raise self.claim_failures.pop(0)
        return await super().claim(limit, route, carriers)

    async def settle(self, batch: Sequence[Settlement]) -> Sequence[Settled | ServiceError]:
        if self.settle_failures:
            raise self.settle_failures.pop(0)
        self.settled.extend(batch)
        return await super().settle(batch)

    async def sweep(self) -> Swept:
        if self.sweep_failures:
            raise self.sweep_failures.pop(0)
        return await super().sweep()


class NoWakeUps:
    """Implements WakeUps for a process that is alone."""

    def __init__(self) -> None:
        self.told = 0

    def tell(self) -> None:
        self.told += 1


async def anywhere(_account_id: str, _number: str, /) -> str | None:
    """An AccountDestinationCheck that has nothing to say."""
    return None
