"""Two PostgreSQL servers under Patroni, with an etcd of their own, on loopback.

Patroni is found on the path or by TUKUPAY_TEST_PATRONI, etcd by TUKUPAY_TEST_ETCD; the PostgreSQL is the one that the
embedded server uses. Patroni refuses root as PostgreSQL does, so both run as an unprivileged user.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
from psycopg import sql

from service_kit.embedded.bound_process import bound_command, unprivileged_user
from service_kit.embedded.postgres_binaries import PostgresError, find_binaries, runnable_binaries
from tests.system.ports import free_port
from tests.system.postgres_faults import send
from tests.system.privacy import DATABASE_PASSWORD
from tests.system.waiting import until

PATRONI: Final = "TUKUPAY_TEST_PATRONI"
ETCD: Final = "TUKUPAY_TEST_ETCD"
NEEDED: Final = ("initdb", "pg_basebackup", "pg_controldata", "pg_ctl", "pg_isready", "pg_rewind", "postgres")
TTL_S: Final = 20
"""After which a leader that is not heard of is replaced; the least that Patroni takes."""
START_S: Final = 120.0
APPLICATION: Final = "sms"
"""The role of the services, which owns their databases."""
_ROLES: Final = {"superuser": "postgres", "replication": "replicator", "rewind": "rewinder"}
_SERVERS_KEEP: Final = {
    "max_connections": 100,
    "shared_buffers": "128MB",
    "wal_keep_size": "256MB",
    "max_wal_senders": 8,
    "wal_log_hints": "on",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
}


def programs() -> tuple[str, str] | str:
    """Patroni and etcd; a sentence on what is missing where they cannot both be run."""
    patroni = os.environ.get(PATRONI) or shutil.which("patroni")
    etcd = os.environ.get(ETCD) or shutil.which("etcd")
    if patroni is None or etcd is None:
        return f"needs Patroni and etcd on the path, or named by {PATRONI} and {ETCD}"
    try:
        folder = runnable_binaries(find_binaries(), unprivileged_user())
    except PostgresError as error:
        return str(error)
    missing = [name for name in NEEDED if not (folder / name).exists()]
    return f"the PostgreSQL in {folder} has no {', '.join(missing)}" if missing else (patroni, etcd)


@dataclass
class Node:
    """One server and the Patroni that keeps it."""

    name: str
    folder: Path
    port: int
    api_port: int
    patroni: subprocess.Popen[bytes] | None = None

    @property
    def postmaster(self) -> int | None:
        """Process id of the server; None when there is none."""
        try:
            return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None

    @property
    def api(self) -> str:
        """Where its Patroni answers."""
        return f"http://127.0.0.1:{self.api_port}"

    def url(self, database: str, user: str = "postgres") -> str:
        """This server, whatever it is at the moment."""
        return f"postgresql://{user}:{DATABASE_PASSWORD}@127.0.0.1:{self.port}/{database}?connect_timeout=3"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on this server; none when it cannot be asked."""
        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                return connection.execute(query.encode()).fetchall()
        except psycopg.Error:
            return []

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes of its own."""
        return self.ask("SELECT pg_is_in_recovery()") == [(False,)]

    @property
    def has_synchronous_standby(self) -> bool:
        """Whether commits on it reach another server before they are answered."""
        return self.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'") != []

    def processes(self) -> list[int]:
        """Its postmaster and Patroni with their children, outermost first."""
        roots = [self.patroni.pid if self.patroni else None, self.postmaster]
        found = [pid for pid in roots if pid is not None]
        for pid in found:
            found += [child for child in _children(pid) if child not in found]
        return found


class PatroniCluster:
    """Two nodes with synchronous replication that waits for ever (`synchronous_mode_strict`)."""

    def __init__(self, folder: Path, programs: tuple[str, str]) -> None:
        self._folder = folder
        self._patroni, self._etcd_program = programs
        self._user = unprivileged_user()
        self._binaries = runnable_binaries(find_binaries(), self._user)
        self._etcd: subprocess.Popen[bytes] | None = None
        self._etcd_port = free_port()
        self.nodes = [Node(name, folder / name, free_port(), free_port()) for name in ("node-1", "node-2")]

    def url(self, database: str) -> str:
        """What a service is given: both servers, whichever takes writes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://{APPLICATION}:{DATABASE_PASSWORD}@{hosts}/{database}?target_session_attrs=read-write"

    @property
    def primary(self) -> Node:
        """The one node that takes writes."""
        (found,) = (node for node in self.nodes if node.is_primary)
        return found

    def other(self, node: Node) -> Node:
        """The other node."""
        return self.nodes[1 - self.nodes.index(node)]

    def start(self, databases: Sequence[str]) -> None:
        """Starts etcd and both nodes, and makes empty databases with a role for the services."""
        self._start_etcd()
        for node in self.nodes:
            node.folder.mkdir(mode=0o700)
            (node.folder / "patroni.json").write_text(json.dumps(self._configuration(node)))
            self._own(node.folder)
            self._own(node.folder / "patroni.json")
        self.start_node(self.nodes[0])
        until("the first node is primary", lambda: self.nodes[0].is_primary, START_S)
        self.start_node(self.nodes[1])
        self.wait_synchronous()
        self._create(databases)

    def start_node(self, node: Node) -> None:
        """Starts the Patroni of a node, which starts its server, or takes over the one that runs."""
        with (node.folder / "patroni.log").open("ab") as log:
            node.patroni = subprocess.Popen(
                bound_command(
                    [self._patroni, str(node.folder / "patroni.json")], death_signal=signal.SIGTERM, user=self._user
                ),
                cwd="/",
                env={"PATH": f"{self._binaries}:/usr/bin:/bin", "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_synchronous(self) -> None:
        """Returns when one node is primary, and the other its synchronous standby."""

        def is_whole() -> bool:
            primaries = [node for node in self.nodes if node.is_primary]
            return len(primaries) == 1 and primaries[0].has_synchronous_standby and self._is_agreed(primaries[0])

        until("the standby is synchronous", is_whole, START_S)

    def switch_over(self) -> None:
        """Tells Patroni to make the standby primary, and returns when it agreed."""
        primary = self.primary
        body = {"leader": primary.name, "candidate": self.other(primary).name}
        answer = httpx.post(f"{primary.api}/switchover", json=body, timeout=60, trust_env=False)
        assert answer.status_code in {200, 202}, answer.text

    def kill(self, node: Node) -> None:
        """The Patroni of a node and its postmaster at once, as when their machine is switched off."""
        postmaster = node.postmaster
        assert node.patroni is not None
        assert postmaster is not None
        send(signal.SIGKILL, [node.patroni.pid, postmaster])
        node.patroni.wait()
        # Its children end when they notice; a new postmaster refuses to start before.
        until("the server is gone", lambda: not _children(postmaster) and not Path(f"/proc/{postmaster}").exists())

    def stop(self) -> None:
        """Ends all of it."""
        for node in self.nodes:
            pids = node.processes()
            send(signal.SIGCONT, pids)
            if node.patroni is not None:
                node.patroni.terminate()
        for node in self.nodes:
            if node.patroni is not None:
                with suppress(subprocess.TimeoutExpired):
                    node.patroni.wait(20)
                node.patroni.kill()
                node.patroni.wait()
            if (postmaster := node.postmaster) is not None:
                send(signal.SIGKILL, [postmaster])
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait()

    def words(self, node: Node, lines: int = 30) -> str:
        """The end of what the Patroni of a node logged."""
        return "\n".join((node.folder / "patroni.log").read_text(errors="replace").splitlines()[-lines:])

    def _is_agreed(self, primary: Node) -> bool:
        """Whether Patroni, too, knows that the other one may take over."""
        try:
            members = httpx.get(f"{primary.api}/cluster", timeout=5, trust_env=False).json()["members"]
        except (httpx.TransportError, ValueError):
            return False
        return {member["role"] for member in members} == {"leader", "sync_standby"}

    def _start_etcd(self) -> None:
        folder = self._folder / "etcd"
        folder.mkdir(mode=0o700)
        self._own(folder)
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, free_port()))
        argv = [
            *(self._etcd_program, "--name", "only", "--data-dir", str(folder / "data")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"only={peer}"),
        ]
        with (folder / "etcd.log").open("ab") as log:
            self._etcd = subprocess.Popen(
                bound_command(argv, death_signal=signal.SIGKILL, user=self._user),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until("etcd answers", lambda: _is_healthy(client), START_S)

    def _configuration(self, node: Node) -> Mapping[str, object]:
        entry = {role: {"username": user, "password": DATABASE_PASSWORD} for role, user in _ROLES.items()}
        return {
            "scope": "sms",
            "name": node.name,
            "restapi": {"listen": f"127.0.0.1:{node.api_port}", "connect_address": f"127.0.0.1:{node.api_port}"},
            "etcd3": {"host": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": 1,
                    "retry_timeout": 8,
                    "maximum_lag_on_failover": 1_048_576,
                    "synchronous_mode": True,
                    "synchronous_mode_strict": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": _SERVERS_KEEP},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{node.port}",
                "connect_address": f"127.0.0.1:{node.port}",
                "data_dir": str(node.folder / "data"),
                "bin_dir": str(self._binaries),
                "pgpass": str(node.folder / "pgpass"),
                "authentication": entry,
                "parameters": {"unix_socket_directories": str(node.folder)},
                "pg_hba": [
                    "local all all trust",
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
            },
        }

    def _create(self, databases: Sequence[str]) -> None:
        with psycopg.connect(self.primary.url("postgres"), autocommit=True) as connection:
            role, password = sql.Identifier(APPLICATION), sql.Literal(DATABASE_PASSWORD)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
            for name in databases:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), role))

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)


@contextmanager
def patroni_cluster(programs: tuple[str, str], databases: Sequence[str]) -> Iterator[PatroniCluster]:
    """Both nodes, up and in step."""
    # Not below the folder of pytest, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="tukupay-patroni-"))
    folder.chmod(0o711)
    cluster = PatroniCluster(folder, programs)
    try:
        cluster.start(databases)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(monotonic: float) -> None:
    """Returns at a moment of the monotonic clock."""
    time.sleep(max(0.0, monotonic - time.monotonic()))


def _is_healthy(client: str) -> bool:
    try:
        return bool(httpx.get(f"{client}/health", timeout=2, trust_env=False).json()["health"] == "true")
    except (httpx.TransportError, ValueError):
        return False


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name in parentheses may hold anything, a parenthesis too.
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found
