"""A private PostgreSQL server: our own child process, reachable over a Unix socket by its owner only."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from service_kit.embedded.bound_process import SystemUser, bound_command
from service_kit.embedded.postgres_binaries import (
    OLDEST_MAJOR,
    SETTING,
    PostgresError,
    find_binaries,
    major_version,
    runnable_binaries,
)
from service_kit.embedded.postgres_folders import (
    exclusive_lock,
    make_private_socket_dir,
    open_private,
    server_user,
    socket_dir_for,
)
from service_kit.embedded.postgres_processes import FAST_STOP_S, POLL_S, QUICK_STOP_S, status_of, stop_orphan

_OWNER = "tukupay"
_SOCKET_PORT = 5432
"""Only names the socket file when there is no TCP."""
_INITDB_TIMEOUT_S = 120.0
_START_TIMEOUT_S = 60.0

_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # A statement in the log could hold a message text.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "logging_collector": "off",
}


class EmbeddedPostgres:
    """One server on one data folder, made at the first start.

    As root the server runs as an unprivileged user (the present owner of the data folder, if there is one),
    which needs no access to the folders above. There is no TCP listener unless `port` asks for one on
    127.0.0.1, and that one wants a password, which no role has until one is set. Without `fsync` a crash of
    the machine loses data: for tests only. The server stops when the thread that started it ends, so start
    it from one that lasts.

    Use `open` and `close`, or `with`; or, on an event loop, `start` and `stop`, or `async with`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        fsync: bool = True,
        binaries: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = log_file.absolute() if log_file else self.data_dir.with_name(f"{data_dir.name}.log")
        self._port = port
        self._fsync = fsync
        self._asked_binaries = binaries
        self._user: SystemUser | None = None
        self._socket_dir = socket_dir_for(self.data_dir)
        self._binaries: Path | None = None
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The libpq URL of a database; the same at every start."""
        host = quote(str(self._socket_dir), safe="/")
        return f"postgresql://{_OWNER}@/{quote(database)}?host={host}&port={self._port or _SOCKET_PORT}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None when it was not started."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the server, negative for a signal; None while it runs or when it was not started."""
        return self._process.poll() if self._process else None

    def is_running(self) -> bool:
        """Whether the server that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def open(self) -> None:
        """Starts the server and returns when it takes connections; does nothing when it runs.

        Stops a server that an earlier, killed owner left on the data folder. Raises PostgresError.
        """
        if not self.is_running():
            self._prepare()
            self._launch()
            self._wait_until_ready()

    async def start(self) -> None:
        """`open` for an event loop."""
        if not self.is_running():
            await asyncio.to_thread(self._prepare)
            # In this thread, as the server lives as long as the thread that launches it.
            self._launch()
            await asyncio.to_thread(self._wait_until_ready)

    def close(self) -> None:
        """Ends all connections and stops the server after a checkpoint; does nothing when it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            for number, patience_s in ((signal.SIGINT, FAST_STOP_S), (signal.SIGQUIT, QUICK_STOP_S)):
                process.send_signal(number)
                try:
                    process.wait(patience_s)
                    break
                except subprocess.TimeoutExpired:
                    continue
            else:
                process.kill()
                process.wait()
        if self._lock is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._lock.close()
            self._lock = None

    async def stop(self) -> None:
        """`close` for an event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def ensure_database(self, name: str) -> None:
        """Creates a database if it is absent."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    async def create_database(self, name: str) -> None:
        """`ensure_database` for an event loop."""
        await asyncio.to_thread(self.ensure_database, name)

    def _prepare(self) -> None:
        """Everything before the launch: the programs, the folders, and no other server on them."""
        try:
            if self._lock is None:
                self.data_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock = exclusive_lock(self.data_dir.with_name(f"{self.data_dir.name}.lock"))
            self._prepare_locked()
        except PermissionError as error:
            self.close()
            raise PostgresError(
                f"{error.filename}: permission denied; run as its owner, or choose another data folder"
            ) from error
        except BaseException:
            self.close()
            raise

    def _prepare_locked(self) -> None:
        self._user = server_user(self.data_dir)
        found = find_binaries(self._asked_binaries)
        self._binaries = runnable_binaries(found, self._user)
        self.log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (self.data_dir / "PG_VERSION").exists():
            _refuse_other_version(self.data_dir, found)
            stop_orphan(self.data_dir)
        else:
            self._initialise(found)
        make_private_socket_dir(self._socket_dir, self._user.uid if self._user else os.geteuid())

    def _initialise(self, found: Path) -> None:
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise PostgresError(
                f"{self.data_dir} is neither empty nor a PostgreSQL data folder; move it away and try again"
            )
        major = major_version(found)
        if major < OLDEST_MAJOR:
            raise PostgresError(
                f"{found} is PostgreSQL {major}, and {OLDEST_MAJOR} is the oldest supported; "
                f"set {SETTING} to newer programs"
            )
        # Built under another name, so that a kill in the middle leaves no half-made data folder.
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._user:
            os.chown(unfinished, self._user.uid, self._user.gid)
        options = [
            *("--username", _OWNER, "--encoding", "UTF8", "--locale", "C", "--no-instructions"),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
            *([] if self._fsync else ["--no-sync"]),
        ]
        with self._log() as log, self._reachable(unfinished) as (path, descriptors):
            outcome = subprocess.run(  # noqa: S603 - our own command
                self._command("initdb", ["--pgdata", path, *options], signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=descriptors,
                cwd="/",
                env=_environment(),
                check=False,
                timeout=_INITDB_TIMEOUT_S,
            )
        if outcome.returncode != 0:
            raise PostgresError(f"the data folder {self.data_dir} could not be made:\n{self._last_log_lines()}")
        unfinished.rename(self.data_dir)

    def _launch(self) -> None:
        settings = {
            **_SETTINGS,
            "fsync": "on" if self._fsync else "off",
            "full_page_writes": "on" if self._fsync else "off",
            "listen_addresses": "127.0.0.1" if self._port else "",
            "port": str(self._port or _SOCKET_PORT),
            "unix_socket_directories": str(self._socket_dir),
            "unix_socket_permissions": "0700",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log() as log, self._reachable(self.data_dir) as (path, descriptors):
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command("postgres", ["-D", path, *arguments], signal.SIGINT),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=descriptors,
                cwd="/",
                env=_environment(),
                # Ctrl-C in a terminal is for us: the server goes last.
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        process = self._process
        if process is None:
            raise PostgresError("the server was not launched")
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if status_of(self.data_dir, process.pid) == "ready":
                return
            time.sleep(POLL_S)
        self.close()
        raise PostgresError(
            f"PostgreSQL did not start on {self.data_dir}; the end of {self.log_file}:\n{self._last_log_lines()}"
        )

    def _command(self, program: str, arguments: Sequence[str], death_signal: signal.Signals) -> list[str]:
        if self._binaries is None:
            raise PostgresError("the programs of PostgreSQL were not looked for yet")
        argv = [str(self._binaries / program), *arguments]
        return bound_command(argv, death_signal=death_signal, user=self._user)

    @contextmanager
    def _reachable(self, folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
        """A path to a folder for the server's user, and the descriptors to hand down with it.

        An unprivileged user may not be allowed to traverse the folders above, such as /root. An open
        descriptor of the folder itself needs no traversal.
        """
        if self._user is None:
            yield str(folder), ()
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)

    def _log(self) -> IO[bytes]:
        return open(self.log_file, "ab", opener=open_private)

    def _last_log_lines(self, count: int = 15) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-count:])


def _environment() -> dict[str, str]:
    # Nothing of ours: neither secrets nor PG* variables that would change what initdb makes.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _refuse_other_version(data_dir: Path, binaries: Path) -> None:
    made_by = (data_dir / "PG_VERSION").read_text().strip()
    major = major_version(binaries)
    if made_by != str(major):
        raise PostgresError(
            f"{data_dir} was made by PostgreSQL {made_by}, and {binaries} is version {major}: "
            f"set {SETTING} to the programs of version {made_by}, or move the folder away to start afresh"
        )
