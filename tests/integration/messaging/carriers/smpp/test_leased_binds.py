"""Replicas share the binds that a carrier allows, and never hold one more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from messaging_service.carriers.bind_leases import BindLeases, LeaseShare, LeaseTerms
from messaging_service.carriers.domain.carrier_status import BindState
from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.codec.pdu import SUBMIT_SM, SUBMIT_SM_RESP, message_id_answer
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from sandbox_carriers.smpp import SandboxCarrier
from service_kit.errors import Kind, ServiceError
from tests.doubles.in_memory_leases import InMemoryBindLeases, LeaseBook
from tests.integration.messaging.carriers.smpp.conftest import DEADLINE_S, Inbox, Send, SilentServer, until
from tests.system.effort import IS_LONG

PHONE = "+254712345678"


class Leases:
    """Leases on the clock of the loop, which can be cut off from their replica."""

    def __init__(self, book: LeaseBook, owner: str) -> None:
        self._book = book
        self._inner = InMemoryBindLeases(book, owner)
        self.is_cut_off = False

    async def renew(self, terms: LeaseTerms) -> LeaseShare:
        self._reach()
        return await self._inner.renew(terms)

    async def release(self, carrier: str, number: int) -> None:
        self._reach()
        await self._inner.release(carrier, number)

    async def leave(self, carrier: str) -> None:
        self._reach()
        await self._inner.leave(carrier)

    def _reach(self) -> None:
        if self.is_cut_off:
            raise ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "the database cannot be reached")
        self._book.now_s = asyncio.get_running_loop().time()


class Replica(Protocol):
    async def __call__(self, leases: BindLeases, port: int | None = None, /, **changes: object) -> SmppCarrier: ...


@pytest.fixture
def book() -> LeaseBook:
    return LeaseBook()


@pytest.fixture
async def replica(sandbox: SandboxCarrier, inbox: Inbox) -> AsyncIterator[Replica]:
    carriers: list[SmppCarrier] = []

    async def start(leases: BindLeases, port: int | None = None, /, **changes: object) -> SmppCarrier:
        chosen = {"max_binds": 4, "lease_s": 1.5, "reconnect_min_s": 0.01, "reconnect_max_s": 0.1, **changes}
        settings = SmppSettings("127.0.0.1", port or sandbox.smpp_port, "tukupay", "secret", **chosen)  # type: ignore[arg-type]  # fields by name
        carrier = SmppCarrier(settings, inbox.sinks, "test", leases)
        carriers.append(carrier)
        await carrier.start()
        return carrier

    yield start
    for carrier in carriers:
        await carrier.stop(0.1)


def up(carrier: SmppCarrier) -> int:
    return sum(bind.state is BindState.UP for bind in carrier.status().binds)


async def test_a_lone_replica_holds_every_bind_that_is_allowed(
    sandbox: SandboxCarrier, replica: Replica, book: LeaseBook, send: Send
) -> None:
    carrier = await replica(Leases(book, "a"))
    await until(carrier, lambda: up(carrier) == 4)
    assert sandbox.stats()["binds"] == 4
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED


async def test_a_second_replica_gets_its_half_and_no_bind_is_held_twice(
    sandbox: SandboxCarrier, replica: Replica, book: LeaseBook
) -> None:
    first = await replica(Leases(book, "a"))
    await until(first, lambda: up(first) == 4)
    second = await replica(Leases(book, "b"))
    await until(second, lambda: up(second) == 2)
    assert up(first) == 2
    states = [bind.state for bind in first.status().binds]
    assert states.count(BindState.UNLEASED) == 2
    assert sandbox.stats()["maxBinds"] == 4


async def test_a_replica_that_stops_hands_its_binds_on(
    sandbox: SandboxCarrier, replica: Replica, book: LeaseBook
) -> None:
    first = await replica(Leases(book, "a"))
    await until(first, lambda: up(first) == 4)
    second = await replica(Leases(book, "b"))
    await until(second, lambda: up(second) == 2)
    await first.stop(0.1)
    await until(second, lambda: up(second) == 4)
    assert {owner for owner, _ in book.leases.values()} == {"b"}


async def test_a_replica_that_cannot_renew_unbinds_before_another_may_bind(
    sandbox: SandboxCarrier, replica: Replica, book: LeaseBook
) -> None:
    cut_off = Leases(book, "a")
    first = await replica(cut_off, lease_s=3.0)
    await until(first, lambda: up(first) == 4)
    good_until = min(until for _, until in book.leases.values())
    cut_off.is_cut_off = True
    await until(first, lambda: up(first) == 0)
    await sandbox.wait_for(lambda: sandbox.stats()["binds"] == 0)
    assert asyncio.get_running_loop().time() < good_until
    remark = first.status().remark
    assert remark is not None
    assert "leases ran out" in remark
    second = await replica(Leases(book, "b"), lease_s=3.0)
    await until(second, lambda: up(second) == 4)
    assert asyncio.get_running_loop().time() >= good_until
    cut_off.is_cut_off = False
    await until(first, lambda: up(first) == 2)
    assert first.status().remark is None


class SlowLeases(Leases):
    """Leases that the answer comes for long after they began, as a database under load does."""

    def __init__(self, book: LeaseBook, owner: str) -> None:
        super().__init__(book, owner)
        self.answers = asyncio.Event()
        self.asked_at: float | None = None

    async def renew(self, terms: LeaseTerms) -> LeaseShare:
        share = await super().renew(terms)
        self.asked_at = asyncio.get_running_loop().time()
        await self.answers.wait()
        return share


async def test_a_lease_counts_from_the_question_and_not_from_the_answer(replica: Replica, book: LeaseBook) -> None:
    leases = SlowLeases(book, "a")
    carrier = await replica(leases, lease_s=30.0)
    loop = asyncio.get_running_loop()
    loop.call_later(1.0, leases.answers.set)
    await until(carrier, lambda: up(carrier) == 4)
    assert carrier._leased is not None
    assert carrier._leased._fence is not None
    assert leases.asked_at is not None
    # Less the sixth of a lease that it keeps for unbinding. It was asked for once: the next renewal is 2 s later.
    assert carrier._leased._fence.when() == pytest.approx(leases.asked_at + 25.0, abs=0.5)


async def test_a_bind_that_is_given_up_waits_for_the_answers_of_its_submits(
    silent_server: SilentServer, replica: Replica, book: LeaseBook, send: Send
) -> None:
    carrier = await replica(Leases(book, "a"), silent_server.port, max_binds=1)
    link = await silent_server.next_bind()
    await until(carrier, lambda: carrier.is_up)
    submit = asyncio.create_task(send(carrier, PHONE, "a" * 400))
    first = await link.receive(SUBMIT_SM)
    winding_up = asyncio.create_task(carrier._binds[0].finish_submits(5.0))
    await until(carrier, lambda: not carrier.is_up)
    assert carrier.try_reserve() is None
    link.send(message_id_answer(SUBMIT_SM_RESP, first.sequence, "1"))
    for message_id in ("2", "3"):
        header = await link.receive(SUBMIT_SM)
        link.send(message_id_answer(SUBMIT_SM_RESP, header.sequence, message_id))
    assert (await submit).carrier_message_ids == ("1", "2", "3")
    await winding_up


@pytest.mark.parametrize("seed", [19, 24, 31, 42] if IS_LONG else [24])
async def test_whatever_happens_to_replicas_the_rest_hold_all_binds_and_never_one_more(
    sandbox: SandboxCarrier, replica: Replica, book: LeaseBook, seed: int
) -> None:
    dice = random.Random(seed)
    leases = {name: Leases(book, name) for name in "abc"}
    carriers = {name: await replica(leases[name], lease_s=2.0) for name in leases}
    reachable = set(leases)
    changed = asyncio.Event()
    for carrier in carriers.values():
        carrier.on_slot_free(changed.set)

    async def shared_out() -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                held = sorted(up(carriers[name]) for name in reachable)
                if sum(held) == 4 and held[-1] - held[0] <= 1:
                    return
                changed.clear()
                await changed.wait()

    for step in range(7):
        await shared_out()
        name = dice.choice(sorted(leases))
        if name not in reachable:
            leases[name].is_cut_off = False
            reachable.add(name)
        elif len(reachable) == 1:
            continue
        elif step % 2:
            await carriers[name].stop(0.1)
            await carriers[name].start()
        else:
            leases[name].is_cut_off = True
            reachable.remove(name)
    await shared_out()
    assert sandbox.stats()["maxBinds"] == 4


async def test_the_rate_of_the_account_is_shared_with_its_binds(
    sandbox: SandboxCarrier, replica: Replica, book: LeaseBook
) -> None:
    first = await replica(Leases(book, "a"), max_submits_per_s=100.0)
    await until(first, lambda: up(first) == 4)
    assert first._rate.per_s == 100.0
    second = await replica(Leases(book, "b"), max_submits_per_s=100.0)
    await until(second, lambda: up(second) == 2)
    assert (first._rate.per_s, second._rate.per_s) == (50.0, 50.0)


def test_leases_need_somewhere_to_be_held(inbox: Inbox) -> None:
    with pytest.raises(ValueError, match="max_binds"):
        SmppCarrier(SmppSettings("127.0.0.1", 1, "a", "b", max_binds=2), inbox.sinks)
