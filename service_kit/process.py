"""The life of a service process: uvloop, signals, and one way out."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog
import uvloop

from service_kit.duties.ending import FAILURE_EXIT, exit_after
from service_kit.duties.keep_running import on_ended_duty
from service_kit.logs import configure_logs
from service_kit.private_memory import keep_memory_private
from service_kit.settings import SettingsError, load
from service_kit.standard_streams import open_closed_streams

S = TypeVar("S")

GC_THRESHOLD = 10_000
ENDING_S = 8.0
"""How long a service that ends may take beyond its drain time. It is gone then, whatever it still waits for."""
_DRAIN_S = 20.0
"""Drain time of a service without such a setting."""

log = structlog.get_logger()


def run_service(
    name: str,
    settings_type: type[S],
    serve: Callable[[S, asyncio.Event], Awaitable[None]],
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Runs `serve` until it returns; SIGTERM and SIGINT set its event. The process never leaves a core dump.

    Exits with 2 when the settings are wrong and with 1 when an address or file cannot be had, each with
    one readable message; with 1 also when a duty ended that must go on. A service that was asked to end is gone
    `ENDING_S` after its drain times, in good order or not.
    """
    # Keys, texts and phone numbers are in memory.
    keep_memory_private()
    open_closed_streams()
    configure_logs(name, environ.get("LOG_LEVEL", "INFO").upper())
    try:
        settings = load(settings_type, environ)
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(2) from None

    ended_duties: list[str] = []

    async def main() -> None:
        drain_s = getattr(settings, "pre_drain_s", 0.0) + getattr(settings, "drain_s", _DRAIN_S)
        stopping = _Stopping(drain_s + ENDING_S)
        loop = asyncio.get_running_loop()

        def duty_ended(duty: str, error: BaseException) -> None:
            log.critical("duty.ended", duty=duty, exc_info=error)
            ended_duties.append(duty)
            stopping.set()

        on_ended_duty(loop, duty_ended)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        log.info("service.starting", settings=repr(settings))
        # What was imported stays for ever; the collector need not look at it again and again, nor at every
        # 700 objects of a process that makes thousands for each batch and drops them by reference count.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        try:
            await serve(settings, stopping)
        finally:
            stopping.set()
        log.info("service.stopped")

    try:
        uvloop.run(main())
    except SettingsError as error:
        # Of a file that the settings name, which is read as the service is put together.
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(2) from None
    except OSError as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(FAILURE_EXIT) from None
    if ended_duties:
        raise SystemExit(FAILURE_EXIT)


class _Stopping(asyncio.Event):
    """Set when the process is to end, which it then does within some seconds."""

    def __init__(self, within_s: float) -> None:
        super().__init__()
        self._within_s = within_s

    def set(self) -> None:
        if not self.is_set():
            exit_after(self._within_s, lambda: log.critical("service.stuck", within_s=self._within_s))
        super().set()
