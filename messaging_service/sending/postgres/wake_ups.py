"""Signals between processes that share a queue, over LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from service_kit.backoff import backoff_s
from service_kit.errors import ServiceError
from service_kit.postgres.database import Connection, Pool, is_alive, session_parameters, single_statement
from service_kit.request_id import for_nobody

CHANNEL: Final = "tukupay_sms_queue"
_LISTEN: Final = f"LISTEN {CHANNEL}"
SPACING_S = 0.05
"""Many calls within it are one signal: a process never sends more than twenty a second, however full it is."""
SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
PROBE_S = 30.0
"""How often a silent connection is asked whether it is still there."""

DIRECT_URL = "set MESSAGING_DATABASE_DIRECT_URL to the server itself; until then the queue is only polled"

log = structlog.get_logger()


class PostgresWakeUps:
    """Implements WakeUps. Where signals do not get through, as behind a pooler, polling does the work alone."""

    def __init__(self, url: str, pool: Pool, woken: Callable[[], None]) -> None:
        """`woken` is called when another process put something into the queue."""
        self._url = url
        self._pool = pool
        self._woken = woken
        self._due: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._again = False
        self._backend_pid: int | None = None

    def tell(self) -> None:
        """Wakes the other processes soon."""
        if self._due is not None:
            self._again = True
            return
        self._send()
        self._due = asyncio.get_running_loop().call_later(SPACING_S, self._spacing_over)

    def _spacing_over(self) -> None:
        self._due = None
        if self._again:
            self._again = False
            self.tell()

    def _send(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify(), name="wake-ups", context=for_nobody())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _notify(self) -> None:
        try:
            async with single_statement(self._pool) as connection:
                await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(self._backend_pid or "")))
        except (ServiceError, psycopg.Error) as error:
            # The others poll.
            log.warning("wake_ups.not_told", error=type(error).__name__)

    async def run(self) -> None:
        """Listens until cancelled, and again whenever the connection is lost."""
        failures, is_pooled = 1, False
        while True:
            try:
                async with await Connection.connect(
                    self._url, **session_parameters(self._url, "messaging-wake-ups")
                ) as connection:
                    if await _is_own(connection):
                        await connection.execute(_LISTEN)
                        failures, is_pooled = 1, False
                        await self._listen(connection)
                if not is_pooled:
                    log.info("wake_ups.behind_pooler", remedy=DIRECT_URL)
                    is_pooled = True
            except (psycopg.Error, OSError) as error:
                log.warning("wake_ups.not_listening", error=type(error).__name__)
            except Exception as error:
                # The others poll, and so does this process; it is no reason to end.
                log.error("wake_ups.crashed", exc_info=error)  # noqa: TRY400 - traceback is in exc_info
            self._backend_pid = None
            shortest_s = LONGEST_PAUSE_S / 2 if is_pooled else SHORTEST_PAUSE_S
            await asyncio.sleep(backoff_s(failures, shortest_s, LONGEST_PAUSE_S))
            failures += 1

    async def _listen(self, connection: Connection) -> None:
        self._backend_pid = connection.info.backend_pid
        own = str(self._backend_pid)
        while True:
            async for signal in connection.notifies(timeout=PROBE_S):
                if signal.payload != own:
                    self._woken()
            # A half-open connection would wait for ever.
            await is_alive(connection)


async def _is_own(connection: Connection) -> bool:
    """Whether a connection is one session of the server: a pooler answers with a process id of its own making."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return row is not None and row[0] == connection.info.backend_pid
