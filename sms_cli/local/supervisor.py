"""Restarts parts of a local system that die, and stops them in reverse order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sms_cli.shared.command_error import CommandError

CRASH_LIMIT = 5
CRASH_WINDOW_S = 30.0
_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0
WRONG_SETTINGS_EXIT = 2
"""The exit code of a service whose settings are wrong: starting it again would not help."""


class Part(Protocol):
    """A process of the system that can be started, watched and stopped, any number of times."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def pid(self) -> int | None:
        """Process id of the latest launch; None before the first."""

    async def launch(self) -> None:
        """Starts the process; it need not be ready yet. Raises CommandError."""

    async def ended(self) -> int:
        """Waits for the end of the process and gives its exit code, negative for a signal."""

    async def ready(self) -> bool:
        """Whether it is ready to work."""

    async def stop(self) -> None:
        """Ends the process in an orderly way, then by force; returns when it is gone."""

    def kill(self) -> None:
        """Ends the process at once."""

    def last_words(self) -> Sequence[str]:
        """The last lines of its log."""


class Reporter(Protocol):
    """Where the supervisor reports what happens."""

    def died(self, part: str, exit_code: int, last_words: Sequence[str], delay_s: float) -> None:
        """A part ended by itself and will be started again after the delay."""

    def back(self, part: str) -> None:
        """A part that died is ready again."""

    def stopping(self, part: str) -> None:
        """A part is being stopped."""


@dataclass(slots=True)
class _Watched:
    part: Part
    task: asyncio.Task[None]


@dataclass(slots=True)
class Supervisor:
    """Starts parts, and restarts them when they die until they have died too often."""

    report: Reporter
    order: Sequence[str]
    """Names of the parts; they are stopped from the last to the first, in whatever order they were started."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    poll_s: float = 0.05
    _watched: list[_Watched] = field(default_factory=list)
    _failure: asyncio.Future[CommandError] | None = None

    async def start(self, part: Part) -> None:
        """Launches a part and watches it from now on."""
        launched = asyncio.Event()
        # Registered before the launch, so that a cancelled launch is cleaned up as well.
        task = asyncio.create_task(self._keep(part, launched), name=f"keep {part.name}")
        self._watched.append(_Watched(part, task))
        waiting = asyncio.create_task(launched.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not launched.is_set():
            await task
        task.add_done_callback(self._stopped_keeping)

    async def wait_ready(self, part: Part, timeout_s: float) -> None:
        """Waits until a part is ready; raises CommandError, with the end of its log, when it takes too long."""
        deadline = self.clock() + timeout_s
        while not await part.ready():
            if self.clock() >= deadline:
                raise CommandError(
                    f"{part.name} is not ready after {timeout_s:g} s\n" + _quoted(part.last_words()),
                    "its log says more; correct the cause and start again",
                )
            await self.sleep(self.poll_s)

    async def failed(self) -> CommandError:
        """Waits until a part cannot be kept alive, and gives the reason."""
        return await self._failure_future()

    def pids(self) -> set[int]:
        """The process ids of the parts, for which the supervisor waits."""
        return {watched.part.pid for watched in self._watched if watched.part.pid is not None}

    async def stop_all(self) -> None:
        """Stops the parts one by one, from the last in `order` to the first."""
        # Nothing is restarted from here on, not even a part that dies because another one ended.
        for watched in self._watched:
            watched.task.cancel()
        for watched in sorted(self._watched, key=lambda each: self.order.index(each.part.name), reverse=True):
            await asyncio.gather(watched.task, return_exceptions=True)
            self.report.stopping(watched.part.name)
            await watched.part.stop()
        self._watched.clear()

    def kill_all(self) -> None:
        """Ends every part at once; `stop_all` then returns quickly."""
        for watched in self._watched:
            watched.part.kill()

    def _failure_future(self) -> asyncio.Future[CommandError]:
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
        return self._failure

    def _fail(self, error: CommandError) -> None:
        if not self._failure_future().done():
            self._failure_future().set_result(error)

    def _stopped_keeping(self, task: asyncio.Task[None]) -> None:
        """Lets an unexpected error end everything, and not just the watch of one part."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failure_future().done():
            self._failure_future().set_exception(error)

    async def _keep(self, part: Part, launched: asyncio.Event) -> None:
        deaths: deque[float] = deque(maxlen=CRASH_LIMIT)
        delay_s = _FIRST_DELAY_S
        await part.launch()
        launched.set()
        while True:
            started = self.clock()
            exit_code = await part.ended()
            now = self.clock()
            deaths.append(now)
            if exit_code == WRONG_SETTINGS_EXIT:
                self._fail(_given_up(part, "does not accept its settings", exit_code))
                return
            if len(deaths) == CRASH_LIMIT and now - deaths[0] <= CRASH_WINDOW_S:
                why = f"died {CRASH_LIMIT} times within {CRASH_WINDOW_S:g} s"
                self._fail(_given_up(part, why, exit_code))
                return
            delay_s = _FIRST_DELAY_S if now - started > CRASH_WINDOW_S else delay_s
            self.report.died(part.name, exit_code, part.last_words(), delay_s)
            await self.sleep(delay_s)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
            try:
                await part.launch()
            except CommandError as error:
                self._fail(error)
                return
            if await self._ready_before_end(part):
                self.report.back(part.name)

    async def _ready_before_end(self, part: Part) -> bool:
        end = asyncio.ensure_future(part.ended())
        try:
            while not end.done():
                if await part.ready():
                    return True
                await asyncio.wait([end], timeout=self.poll_s)
            return False
        finally:
            end.cancel()


def _given_up(part: Part, why: str, exit_code: int) -> CommandError:
    return CommandError(
        f"{part.name} {why}; {exit_text(exit_code)}\n{_quoted(part.last_words())}",
        "correct the cause that its log names and start again; nothing that was committed is lost",
    )


def exit_text(exit_code: int) -> str:
    """How a process ended, in words."""
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def _quoted(lines: Sequence[str]) -> str:
    return "\n".join(f"  | {line}" for line in lines) or "  | (its log is empty)"
