"""PgBouncer before the PostgreSQL server of the tests, and all tests through it where that is asked for.

`TUKUPAY_TEST_PGBOUNCER=/path/to/pgbouncer` sends every pool of the services through it, in processes of their own as
well; what tests do themselves, migrations and LISTEN go to the server directly, as the direct URLs of operators do.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service_kit.embedded.bound_process import bound_command, unprivileged_user
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import Pool
from tests.system.ports import free_port

SETTING: Final = "TUKUPAY_TEST_PGBOUNCER"
OLDEST: Final = (1, 21)
"""The first version that keeps the prepared statements of its clients apart."""
START_S: Final = 20.0
OWNER: Final = "tukupay"
_CONFIGURATION: Final = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {pool_mode}
default_pool_size = {pool_size}
max_client_conn = 2000
server_idle_timeout = 5
autodb_idle_timeout = 10
query_wait_timeout = 30
logfile = {folder}/pgbouncer.log
{more}
"""

through: PgBouncer | None = None
"""What the pools of this run go through; None for the server itself."""


def program() -> str | None:
    """The program to test with: what the setting names, or the one that is installed; None without any."""
    return os.environ.get(SETTING) or shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def version(of: str) -> tuple[int, ...]:
    """The version of a program, as (1, 24, 1)."""
    said = subprocess.run([of, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+(?:\.\d+)+)", said)
    assert found, said
    return tuple(map(int, found[1].split(".")))


class PgBouncer:
    """A pooler that is up."""

    def __init__(self, server: EmbeddedPostgres, port: int) -> None:
        self._host = conninfo_to_dict(server.url("postgres"))["host"]
        self._port = port

    def url(self, direct: str) -> str:
        """The same database through this pooler; the URL of another server, or of a role it does not know, as it is."""
        said = conninfo_to_dict(direct)
        if (said.get("host"), said.get("user")) != (self._host, OWNER):
            return direct
        return make_conninfo("", **said | {"host": "127.0.0.1", "port": self._port})


@contextmanager
def pgbouncer(
    server: EmbeddedPostgres, of: str, *, pool_mode: str = "transaction", pool_size: int = 40, **settings: Any
) -> Iterator[PgBouncer]:
    """A pooler before a server, on a port of its own."""
    said = conninfo_to_dict(server.url("postgres"))
    port, user = free_port(), unprivileged_user()
    # Not below the folder of pytest, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="tukupay-pgbouncer-"))
    try:
        (folder / "users.txt").write_text(f'"{OWNER}" ""\n')
        configuration = _CONFIGURATION.format(
            host=said["host"],
            port=said["port"],
            listen_port=port,
            folder=folder,
            pool_mode=pool_mode,
            pool_size=pool_size,
            more="\n".join(f"{name} = {value}" for name, value in settings.items()),
        )
        (folder / "pgbouncer.ini").write_text(configuration)
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        argv = [of, "--quiet", str(folder / "pgbouncer.ini")]
        process = subprocess.Popen(
            bound_command(argv, death_signal=signal.SIGKILL, user=user), cwd="/", start_new_session=True
        )
        try:
            _wait_until_up(process, port, folder / "pgbouncer.log")
            yield PgBouncer(server, port)
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"PgBouncer did not start: {log.read_text() if log.exists() else 'no log'}")


@contextmanager
def all_pools_through(pooler: PgBouncer) -> Iterator[None]:
    """Sends every pool that is made meanwhile through a pooler, and tells the harness of processes."""
    global through  # noqa: PLW0603 - the harness of this run
    direct = Pool.__init__

    def pooled(self: Pool, url: str, **options: Any) -> None:
        direct(self, pooler.url(url), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "__init__", pooled)
        through = pooler
        try:
            yield
        finally:
            through = None


def service_urls(variable: str, direct: str) -> dict[str, str]:
    """The settings of a service in a process of its own; `variable` names the one of its URL."""
    if through is None:
        return {variable: direct}
    return {variable: through.url(direct), variable.replace("_URL", "_DIRECT_URL"): direct}
