"""A system of the benchmark's own: `tukupay-sms up` on free ports, in a home that goes away afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from benchmarks.processes import children
from service_kit.embedded.bound_process import bound_command
from sms_cli.local.local_parts import MODULES
from sms_cli.shared.local_settings import RUNNING_FILE, read_running_file

_READY = "Ctrl-C stops everything"
_START_S = 90.0
_STOP_S = 90.0
_ADDRESSES = (
    "PRICING_GRPC_ADDRESS",
    "MESSAGING_GRPC_ADDRESS",
    "GATEWAY_HTTP_ADDRESS",
    "SANDBOX_SMPP_ADDRESS",
    "SANDBOX_HTTP_ADDRESS",
    "PRICING_METRICS_ADDRESS",
    "MESSAGING_METRICS_ADDRESS",
    "GATEWAY_METRICS_ADDRESS",
)


class OwnSystem:
    """Addresses and processes of a running system."""

    def __init__(self, home: Path, addresses: Mapping[str, str], up_pid: int) -> None:
        self.home = home
        self.gateway = addresses["GATEWAY_HTTP_ADDRESS"]
        self.messaging = addresses["MESSAGING_GRPC_ADDRESS"]
        self.pricing = addresses["PRICING_GRPC_ADDRESS"]
        self._sandbox = addresses["SANDBOX_HTTP_ADDRESS"]
        self.database_url = read_running_file(home / RUNNING_FILE)["MESSAGING_DATABASE_URL"]
        self.pids = {**_parts(up_pid), "supervisor": up_pid}
        """Process ids of the services, of the PostgreSQL server and of what keeps them, by name."""

    def carrier_stats(self) -> dict[str, int]:
        """The counts of the sandbox carrier since its start."""
        connection = http.client.HTTPConnection(self._sandbox, timeout=10)
        try:
            connection.request("GET", "/stats")
            stats: dict[str, int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return stats


@contextlib.asynccontextmanager
async def own_system(
    settings: Mapping[str, str], prepare: Callable[[OwnSystem], Awaitable[None]] | None = None
) -> AsyncIterator[OwnSystem]:
    """Starts a system with these settings on top of the defaults, and stops it whatever happens.

    With `prepare` it is started a first time for that alone, for settings that PostgreSQL reads at its
    start. The home is made where TMPDIR says, which should be a real disk: commits are written to it.
    Raises RuntimeError, with what the system said, when it does not come up.
    """
    home = Path(tempfile.mkdtemp(prefix="tukupay-bench-"))
    try:
        if prepare is not None:
            async with _running(home, settings) as system:
                await prepare(system)
        async with _running(home, settings) as system:
            yield system
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.asynccontextmanager
async def _running(home: Path, settings: Mapping[str, str]) -> AsyncIterator[OwnSystem]:
    # Whatever the caller's shell sets for its own system is not for this one.
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    addresses = _free_addresses()
    environment = {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "TUKUPAY_HOME": str(home),
        **addresses,
        **settings,
    }
    output = home / "up.log"
    with output.open("wb") as log:
        up = await asyncio.create_subprocess_exec(
            *bound_command([sys.executable, "-m", "sms_cli", "up"], death_signal=signal.SIGTERM),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the benchmark, which then stops the system in order.
            start_new_session=True,
        )
    try:
        await _wait_ready(up, output)
        yield OwnSystem(home, addresses, up.pid)
    finally:
        await _stop(up)


async def _wait_ready(up: asyncio.subprocess.Process, output: Path) -> None:
    deadline = time.monotonic() + _START_S
    while _READY not in (said := output.read_text(errors="replace")):  # noqa: ASYNC240 - a local file
        if up.returncode is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the system did not come up:\n{said}")
        await asyncio.sleep(0.1)


async def _stop(up: asyncio.subprocess.Process) -> None:
    if up.returncode is None:
        up.terminate()
        try:
            await asyncio.wait_for(up.wait(), _STOP_S)
        except TimeoutError:
            # Its children go with it.
            up.kill()
            await up.wait()


def _free_addresses() -> dict[str, str]:
    # Held until all are chosen, so that no port is chosen twice.
    held = [socket.create_server(("127.0.0.1", 0)) for _ in _ADDRESSES]
    try:
        return {name: f"127.0.0.1:{each.getsockname()[1]}" for name, each in zip(_ADDRESSES, held, strict=True)}
    finally:
        for each in held:
            each.close()


def _parts(up_pid: int) -> dict[str, int]:
    """Name and process id of each child of `up`."""
    found: dict[str, int] = {}
    for pid, arguments in children(up_pid).items():
        for name, module in MODULES.items():
            if arguments[-1:] == [module]:
                found[name] = pid
        if Path(arguments[0]).name == "postgres":
            found["postgres"] = pid
    missing = {*MODULES, "postgres"} - found.keys()
    if missing:
        raise RuntimeError(f"processes not found: {', '.join(sorted(missing))}")
    return found
