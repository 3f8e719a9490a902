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

from service_kit.logs import configure_logs
from service_kit.settings import SettingsError, load

S = TypeVar("S")

GC_THRESHOLD = 10_000

log = structlog.get_logger()


def run_service(
    name: str,
    settings_type: type[S],
    serve: Callable[[S, asyncio.Event], Awaitable[None]],
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Runs `serve` until it returns; SIGTERM and SIGINT set its event.

    Exits with 2 when the settings are wrong and with 1 when an address or file cannot be had, each with
    one readable message.
    """
    configure_logs(name, environ.get("LOG_LEVEL", "INFO").upper())
    try:
        settings = load(settings_type, environ)
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(2) from None

    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        log.info("service.starting", settings=repr(settings))
        # What was imported stays for ever; the collector need not look at it again and again, nor at every
        # 700 objects of a process that makes thousands for each batch and drops them by reference count.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        await serve(settings, stopping)
        log.info("service.stopped")

    try:
        uvloop.run(main())
    except SettingsError as error:
        # Of a file that the settings name, which is read as the service is put together.
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(2) from None
    except OSError as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(1) from None
