"""A streaming standby of an embedded server, made by that server's own tools.

`TUKUPAY_TEST_REPLICA=1` sends every read of a run that may go to a replica to one, which is waited for until it shows
all that was committed before; what the replica cannot answer fails there, instead of being answered by the primary.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from messaging_service.shared.postgres.lagging_reads import LaggingReads
from service_kit.embedded.bound_process import bound_command, unprivileged_user
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.embedded.postgres_binaries import find_binaries, runnable_binaries
from service_kit.postgres.database import Connection, Pool, session_parameters
from service_kit.postgres.standby import Standby, StandbyProgress
from tests.system.waiting import eventually, until

SETTING: Final = "TUKUPAY_TEST_REPLICA"
_PLACE: Final = "SELECT pg_current_wal_flush_lsn()::text"
_HAS_REPLAYED: Final = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"


class StandbyServer:
    """A standby that is up."""

    def __init__(self, primary: EmbeddedPostgres, folder: Path) -> None:
        self._primary = primary
        self._folder = folder
        self._user = unprivileged_user()
        self._binaries = runnable_binaries(find_binaries(), self._user)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The same database as on the primary."""
        return make_conninfo("", **conninfo_to_dict(self._primary.url(database)) | {"host": str(self._folder)})

    @property
    def pid(self) -> int:
        """Process id of the latest start."""
        assert self._process is not None
        return self._process.pid

    def make(self) -> None:
        """Copies the primary."""
        said = conninfo_to_dict(self._primary.url("postgres"))
        copy = ["--checkpoint", "fast", "--wal-method", "stream", "--write-recovery-conf", "--no-sync"]
        source = ["--host", str(said["host"]), "--port", str(said["port"]), "--username", str(said["user"])]
        argv = [str(self._binaries / "pg_basebackup"), "--pgdata", str(self._folder / "data"), *copy, *source]
        command = bound_command(argv, death_signal=signal.SIGKILL, user=self._user)
        subprocess.run(command, cwd="/", check=True, timeout=60, stdin=subprocess.DEVNULL)

    def start(self) -> None:
        """Starts it, and returns when it takes connections."""
        settings = {
            "port": conninfo_to_dict(self._primary.url("postgres"))["port"],
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "hot_standby_feedback": "on",
            "shared_buffers": "32MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                bound_command(argv, death_signal=signal.SIGQUIT, user=self._user),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until("the standby takes connections", self._answers)

    def stop(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def run(self, statement: str) -> None:
        """Runs a statement on it."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.Error:
            return False
        return True


@contextmanager
def standby_of(primary: EmbeddedPostgres) -> Iterator[StandbyServer]:
    """A standby of a running server, with all of its databases, those to come included."""
    # Not below the folder of pytest, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="tukupay-standby-"))
    try:
        if (user := unprivileged_user()) is not None:
            os.chown(folder, user.uid, user.gid)
        standby = StandbyServer(primary, folder)
        standby.make()
        standby.start()
        try:
            yield standby
        finally:
            standby.stop()
    finally:
        shutil.rmtree(folder)


class CaughtUp(Standby):
    """A standby that is waited for before each read, and must not fail."""

    def __init__(self, primary: Pool, server: StandbyServer) -> None:
        super().__init__(primary, StandbyProgress(0.0))
        self._server = server
        self._primary_url = str(primary.conninfo)
        self._url = server.url(str(conninfo_to_dict(self._primary_url)["dbname"]))
        self.reads = 0

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Connection]:
        await caught_up(self._server, self._primary_url)
        async with await Connection.connect(self._url, **session_parameters(self._url, "replica")) as connection:
            self.reads += 1
            yield connection

    def failed(self) -> None:
        raise AssertionError("a read failed on the standby")


@contextmanager
def all_lagging_reads_from(server: StandbyServer) -> Iterator[None]:
    """Sends every read that may go to a replica there."""
    direct = LaggingReads.__init__

    def on_standby(self: LaggingReads, primary: Pool, standby: Standby | None = None, *rest: Any, **more: Any) -> None:
        direct(self, primary, standby or CaughtUp(primary, server), *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LaggingReads, "__init__", on_standby)
        yield


async def caught_up(standby: StandbyServer, url: str) -> None:
    """Returns when a standby has everything that was committed before."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as primary:
        row = await (await primary.execute(_PLACE)).fetchone()
    async with await psycopg.AsyncConnection.connect(standby.url("postgres"), autocommit=True) as connection:

        async def has_caught_up() -> bool:
            found = await (await connection.execute(_HAS_REPLAYED, row)).fetchone()
            return found is not None and bool(found[0])

        await eventually("the standby has all of it", has_caught_up)
