"""The processes in which apprise runs: started when needed, asked one question at a time, replaced when they fail."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from messaging_service.notices.notice_meters import TextMeter
from service_kit.duties.ending import end_tasks
from service_kit.embedded.bound_process import bound_command

COMMAND: Final = (sys.executable, "-I", "-m", "messaging_service.notices.channels.child")
START_S: Final = 25.0
"""Longest time from the start of a child to its first answer; importing apprise takes a second or so."""
STORES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where an operator may name other trusted certificates; a child gets these of the service's environment."""
ENVIRONMENT: Final = {"HOME": "/nonexistent", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
"""The rest of a child's environment: neither proxies nor passwords."""
MAX_LINE: Final = 1 << 20

log = structlog.get_logger()


class ChildFailedError(Exception):
    """A child gave no answer. The argument is a stable word: TIMED_OUT or BROKEN_OFF."""


class Children:
    """A few children, of which each answers one question at a time."""

    def __init__(
        self,
        configuration: Mapping[str, Any],
        meter: TextMeter,
        *,
        at_most: int,
        timeout_s: float,
        idle_s: float,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`timeout_s`: longest wait for an answer. `idle_s`: how long a child lives without a question."""
        self._configuration = json.dumps(configuration)
        self._meter = meter
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._command = command
        self._places = asyncio.Semaphore(at_most)
        self._idle: list[tuple[Process, asyncio.Task[None]]] = []
        self._all: set[Process] = set()

    @property
    def running(self) -> int:
        """Children that run now."""
        return len(self._all)

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question. Raises ChildFailedError, also when no child can be started."""
        async with self._places:
            child = await self._free() or await self._start()
            try:
                answer = await self._exchange(child, json.dumps(question), self._timeout_s)
            except BaseException:
                # Also when the caller is cancelled: a late answer would be read as the answer to the next question.
                await self._end(child)
                raise
            self._idle.append((child, asyncio.create_task(self._end_when_idle(child))))
            return answer

    async def close(self) -> None:
        """Ends all of them. `ask` must not be called afterwards."""
        await end_tasks([task for _, task in self._idle])
        self._idle.clear()
        await asyncio.gather(*(self._end(child) for child in tuple(self._all)))

    async def _free(self) -> Process | None:
        while self._idle:
            child, idling = self._idle.pop()
            idling.cancel()
            if child.returncode is None:
                return child
            await self._end(child)
        return None

    async def _start(self) -> Process:
        command = bound_command(self._command, death_signal=signal.SIGKILL)
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=ENVIRONMENT | {name: os.environ[name] for name in STORES if name in os.environ},
                cwd="/",
                limit=MAX_LINE,
            )
        except OSError as error:
            self._meter.process_failed()
            log.error("channels.child_not_started", errno=error.errno)  # noqa: TRY400 - the number says it all
            raise ChildFailedError("BROKEN_OFF") from None
        self._all.add(child)
        self._meter.process_started()
        try:
            await self._exchange(child, self._configuration, START_S)
        except BaseException:
            await self._end(child)
            raise
        log.info("channels.child_started", pid=child.pid)
        return child

    async def _exchange(self, child: Process, line: str, timeout_s: float) -> dict[str, Any]:
        assert child.stdin is not None  # noqa: S101 - it was started with both pipes
        assert child.stdout is not None  # noqa: S101 - see above
        try:
            async with asyncio.timeout(timeout_s):
                child.stdin.write(line.encode() + b"\n")
                await child.stdin.drain()
                answer = await child.stdout.readline()
        except TimeoutError:
            self._meter.process_failed()
            log.warning("channels.child_timed_out", pid=child.pid, seconds=timeout_s)
            raise ChildFailedError("TIMED_OUT") from None
        except (ConnectionError, ValueError):
            answer = b""
        if not answer.endswith(b"\n"):
            self._meter.process_failed()
            log.warning("channels.child_ended", pid=child.pid)
            raise ChildFailedError("BROKEN_OFF")
        found: dict[str, Any] = json.loads(answer)
        return found

    async def _end(self, child: Process) -> None:
        with suppress(ProcessLookupError):
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()
        self._all.discard(child)

    async def _end_when_idle(self, child: Process) -> None:
        await asyncio.sleep(self._idle_s)
        self._idle = [entry for entry in self._idle if entry[0] is not child]
        await self._end(child)
