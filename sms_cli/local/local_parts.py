"""The parts of a local system as child processes: PostgreSQL, the services, the sandbox carrier."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import psycopg

from service_kit.embedded.bound_process import bound_command
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.embedded.postgres_binaries import PostgresError
from service_kit.embedded.postgres_folders import open_private
from sms_cli.local.home import Home, last_lines
from sms_cli.local.probes import Health
from sms_cli.shared.command_error import CommandError

_STOP_S = 35.0
"""Longer than the 30 s in which a service promises to be gone after SIGTERM."""
_WATCH_S = 0.1

MODULES: Mapping[str, str] = {
    "pricing": "pricing_service",
    "sandbox": "sandbox_carriers.smpp",
    "messaging": "messaging_service",
    "gateway": "gateway_http",
}
"""What `python -m` runs for each service."""


def module_command(service: str) -> list[str]:
    """The command that runs a service. The working folder is not searched for modules."""
    return [sys.executable, "-P", "-m", MODULES[service]]


class Service:
    """A service in a child process, which does not outlive this one."""

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        probe: Callable[[], Awaitable[Health]],
        stop_s: float = _STOP_S,
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._log_file = log_file
        self._probe = probe
        self._stop_s = stop_s
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Process id of the latest launch; None before the first."""
        return self._process.pid if self._process else None

    async def launch(self) -> None:
        """Starts the process, with its output appended to the log; raises CommandError."""
        try:
            with open(self._log_file, "ab", opener=open_private) as log:  # noqa: ASYNC230 - a local file
                self._log_start = log.seek(0, os.SEEK_END)
                self._process = await asyncio.create_subprocess_exec(
                    # SIGKILL, because PostgreSQL ends with us too and nothing could be committed any more.
                    *bound_command(self._command, death_signal=signal.SIGKILL),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**self._environment, "PYTHONUNBUFFERED": "1"},
                    # Ctrl-C in the terminal reaches only us, and we stop the services in their order.
                    start_new_session=True,
                )
        except OSError as error:
            raise CommandError(
                f"{self.name} cannot be started: {error}", "make room for files and processes, then start again"
            ) from error

    async def ended(self) -> int:
        """Waits for the end of the process."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not launched")
        return await self._process.wait()

    async def ready(self) -> bool:
        """Whether the process of the latest launch runs and its probe succeeds."""
        if self._process is None or self._process.returncode is not None:
            return False
        return (await self._probe()).ready

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help in time."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), self._stop_s)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def last_words(self) -> Sequence[str]:
        """The last lines that the latest launch logged."""
        return last_lines(self._log_file, since=self._log_start)


class Database:
    """The embedded PostgreSQL as a part."""

    name = "postgres"

    def __init__(self, home: Home) -> None:
        self.server = EmbeddedPostgres(home.postgres_data, log_file=home.log_of(self.name))
        self._starting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the server; None before the first launch."""
        return self.server.pid

    async def launch(self) -> None:
        """Starts the server and waits until it takes connections."""
        self._starting = asyncio.create_task(self.server.start())
        try:
            # Not cancelled, because a server that is half started cannot be stopped cleanly.
            await asyncio.shield(self._starting)
        except (PostgresError, OSError, subprocess.SubprocessError) as error:
            raise CommandError(
                f"postgres cannot be started: {error}", "correct that and start again; the data is untouched"
            ) from error

    async def create(self, database: str) -> None:
        """Creates a database if it is absent; raises CommandError."""
        try:
            await self.server.create_database(database)
        except psycopg.Error as error:
            raise CommandError(
                f"the database {database} cannot be made: {error}", f"{self.server.log_file} says more"
            ) from error

    async def ended(self) -> int:
        """Waits for the end of the server."""
        while self.server.is_running():  # noqa: ASYNC110 - the end of a process sets no event
            await asyncio.sleep(_WATCH_S)
        return self.server.exit_code or 0

    async def ready(self) -> bool:
        """Whether it runs; `launch` has waited for the rest."""
        return self.server.is_running()

    async def stop(self) -> None:
        """Ends all connections and shuts down after a checkpoint."""
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        await self.server.stop()

    def kill(self) -> None:
        """Does nothing, because a fast shutdown takes moments and spares the recovery at the next start."""

    def last_words(self) -> Sequence[str]:
        """The last lines of its log."""
        return last_lines(self.server.log_file)
