"""The supervisor: what it does when parts die, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from sms_cli.local.supervisor import CRASH_LIMIT, Supervisor
from sms_cli.shared.command_error import CommandError

ORDER = ("postgres", "pricing", "gateway")


class FakePart:
    """A process that ends when the test says so."""

    def __init__(self, name: str, journal: list[str]) -> None:
        self.name = name
        self.is_ready = True
        self.dies_at_once = False
        self.refuses_to_launch = False
        self.launches = 0
        self.pid: int | None = None
        self.launched_again = asyncio.Event()
        self._journal = journal
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def launch(self) -> None:
        if self.refuses_to_launch:
            raise CommandError("no such program", "install it")
        self.launches += 1
        self._end = asyncio.get_running_loop().create_future()
        if self.dies_at_once and self.launches > 1:
            self.die(1)
        if self.launches > 1:
            self.launched_again.set()

    async def ended(self) -> int:
        return await asyncio.shield(self._end)

    async def ready(self) -> bool:
        return self.is_ready and not self._end.done()

    async def stop(self) -> None:
        self._journal.append(f"stop {self.name}")

    def kill(self) -> None:
        self._journal.append(f"kill {self.name}")

    def last_words(self) -> Sequence[str]:
        return ["out of cheese"]

    def die(self, exit_code: int) -> None:
        self._end.set_result(exit_code)


class FakeReport:
    def __init__(self) -> None:
        self.delays: list[float] = []
        self.words: list[str] = []
        self.recovered = asyncio.Event()
        self.stops: list[str] = []

    def died(self, part: str, exit_code: int, last_words: Sequence[str], delay_s: float) -> None:
        self.delays.append(delay_s)
        self.words.extend(last_words)

    def back(self, part: str) -> None:
        self.recovered.set()

    def stopping(self, part: str) -> None:
        self.stops.append(part)


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def supervisor(report: FakeReport, time: FakeTime) -> AsyncIterator[Supervisor]:
    tested = Supervisor(report, ORDER, clock=time.clock, sleep=time.sleep)
    try:
        yield tested
    finally:
        await tested.stop_all()


@pytest.mark.parametrize("exit_code", [-9, 1], ids=["killed", "ended itself, as after a duty that failed"])
async def test_a_part_that_dies_is_started_again_and_its_last_words_are_told(exit_code: int) -> None:
    report, journal = FakeReport(), list[str]()
    async with supervisor(report, FakeTime()) as tested:
        part = FakePart("pricing", journal)
        await tested.start(part)
        part.die(exit_code)
        await asyncio.wait_for(report.recovered.wait(), 5)
    assert part.launches == 2
    assert report.words == ["out of cheese"]


async def test_a_crash_loop_ends_everything_with_the_cause() -> None:
    report, journal = FakeReport(), list[str]()
    async with supervisor(report, FakeTime()) as tested:
        part = FakePart("pricing", journal)
        part.dies_at_once = True
        await tested.start(part)
        part.die(1)
        error = await asyncio.wait_for(tested.failed(), 5)
    assert "pricing died 5 times within 30 s" in str(error)
    assert "out of cheese" in str(error)
    assert part.launches == CRASH_LIMIT
    assert report.delays == sorted(report.delays)
    assert len(set(report.delays)) == CRASH_LIMIT - 1


async def test_deaths_far_apart_are_no_crash_loop() -> None:
    report, journal, time = FakeReport(), list[str](), FakeTime()
    async with supervisor(report, time) as tested:
        part = FakePart("pricing", journal)
        await tested.start(part)
        for _ in range(CRASH_LIMIT * 2):
            time.now += 40
            part.launched_again.clear()
            part.die(1)
            await asyncio.wait_for(part.launched_again.wait(), 5)
    assert part.launches == CRASH_LIMIT * 2 + 1
    assert set(report.delays) == {report.delays[0]}


async def test_a_service_that_refuses_its_settings_is_not_tried_again() -> None:
    report, journal = FakeReport(), list[str]()
    async with supervisor(report, FakeTime()) as tested:
        part = FakePart("pricing", journal)
        await tested.start(part)
        part.die(2)
        error = await asyncio.wait_for(tested.failed(), 5)
    assert "does not accept its settings" in str(error)
    assert part.launches == 1


async def test_parts_stop_in_reverse_order_however_they_were_started() -> None:
    report, journal = FakeReport(), list[str]()
    async with supervisor(report, FakeTime()) as tested:
        for name in ("gateway", "postgres", "pricing"):
            await tested.start(FakePart(name, journal))
    assert journal == ["stop gateway", "stop pricing", "stop postgres"]
    assert report.stops == ["gateway", "pricing", "postgres"]


async def test_a_part_that_dies_while_the_others_stop_stays_dead() -> None:
    report, journal = FakeReport(), list[str]()
    async with supervisor(report, FakeTime()) as tested:
        pricing = FakePart("pricing", journal)
        gateway = FakePart("gateway", journal)
        await tested.start(pricing)
        await tested.start(gateway)
        pricing.die(1)
        await tested.stop_all()
    assert pricing.launches == 1


async def test_a_part_that_cannot_be_launched_says_so_to_who_starts_it() -> None:
    async with supervisor(FakeReport(), FakeTime()) as tested:
        part = FakePart("pricing", [])
        part.refuses_to_launch = True
        with pytest.raises(CommandError, match="no such program"):
            await tested.start(part)


async def test_a_part_that_never_gets_ready_is_given_up_with_the_end_of_its_log() -> None:
    async with supervisor(FakeReport(), FakeTime()) as tested:
        part = FakePart("pricing", [])
        part.is_ready = False
        await tested.start(part)
        with pytest.raises(CommandError, match=r"(?s)not ready after 60 s.*out of cheese"):
            await tested.wait_ready(part, 60)
