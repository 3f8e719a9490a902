"""Work that goes on: passes, their pauses, their failures, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service_kit.duties import duty as module
from service_kit.duties.duty import Duty
from service_kit.duties.ending import end_tasks
from service_kit.duties.keep_running import DutyEndedError, keep_running, on_ended_duty
from service_kit.errors import Kind, ServiceError

pytestmark = pytest.mark.timeout(10)


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def upkeep_failed(self, duty: str, error: ServiceError) -> None:
        self.lines.append((duty, error.reason))

    def upkeep_crashed(self, duty: str, error: Exception) -> None:
        self.lines.append((duty, str(error)))


class Work:
    """Passes that end as the test says; counts them, and tells when so many were made."""

    def __init__(self, *ends: float | Exception | None) -> None:
        self.ends = list(ends)
        self.passes = 0
        self._news = asyncio.Event()

    async def __call__(self) -> float | None:
        self.passes += 1
        self._news.set()
        end = self.ends.pop(0) if self.ends else None
        if isinstance(end, Exception):
            raise end
        return end

    async def made(self, passes: int) -> None:
        while self.passes < passes:
            self._news.clear()
            await self._news.wait()


async def running(duty: Duty, until: Callable[[], asyncio.Future[None]] | object) -> None:
    task = asyncio.ensure_future(duty.run())
    await until  # type: ignore[misc]
    await end_tasks([task])


async def test_the_first_pass_comes_at_once_and_the_next_as_it_says() -> None:
    work = Work(0, 0.001, None)
    await running(Duty("look", work, Log(), every_s=3_600), work.made(3))


async def test_a_duty_that_is_woken_does_not_wait_for_its_interval() -> None:
    work = Work()
    duty = Duty("look", work, Log(), every_s=3_600)
    task = asyncio.ensure_future(duty.run())
    await work.made(1)
    duty.wake()
    await work.made(2)
    await end_tasks([task])


async def test_failures_are_reported_and_counted_until_a_pass_succeeds() -> None:
    away = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "away")
    work, log = Work(away, RuntimeError("bug")), Log()
    duty = Duty("look", work, log, every_s=0.001)
    task = asyncio.ensure_future(duty.run())
    await work.made(2)
    assert duty.failures in (1, 2)
    await work.made(4)
    await end_tasks([task])
    assert log.lines == [("look", "DATABASE_UNAVAILABLE"), ("look", "bug")]
    assert duty.failures == 0


async def test_a_duty_that_fails_does_not_spin_however_often_it_is_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def happens(event: asyncio.Event, within_s: float) -> None:
        pauses.append(within_s)
        await asyncio.sleep(0)

    monkeypatch.setattr(module, "_happens", happens)
    work = Work(*[RuntimeError("bug")] * 50)
    duty = Duty("look", work, Log(), every_s=0.01)
    await running(duty, work.made(50))
    for number, pause_s in enumerate(pauses[:49]):
        ceiling = min(2 * module.SHORTEST_PAUSE_S * 2**number, module.LONGEST_CRASH_PAUSE_S)
        assert ceiling / 2 <= pause_s <= ceiling


async def test_a_duty_is_stopped_after_its_pass() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()

    duty = Duty("look", work, Log(), every_s=3_600)
    task = asyncio.ensure_future(duty.run())
    await begun.wait()
    duty.stop()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    await task


async def ended_of(name: str, work: Callable[[], object], *, may_end: bool = False) -> list[tuple[str, BaseException]]:
    told: list[tuple[str, BaseException]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    on_ended_duty(loop, lambda name, error: told.append((name, error)))

    async def duty() -> None:
        work()

    task = keep_running(name, duty(), may_end=may_end)
    await asyncio.wait({task})
    await asyncio.sleep(0)
    loop.set_exception_handler(before)
    return told


async def test_a_duty_that_fails_or_ends_is_told_of() -> None:
    bug = RuntimeError("bug")

    def fail() -> None:
        raise bug

    assert await ended_of("failing", fail) == [("failing", bug)]
    assert await ended_of("failing", fail, may_end=True) == [("failing", bug)]
    ((name, error),) = await ended_of("ending", lambda: None)
    assert (name, type(error)) == ("ending", DutyEndedError)
    assert await ended_of("once", lambda: None, may_end=True) == []
