"""Several processes of each kind behind names, started, watched and replaced as an orchestrator does."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from service_kit.embedded.bound_process import bound_command
from tests.system.carrier import SandboxPhones
from tests.system.databases import Database
from tests.system.money import broken_invariants
from tests.system.name_server import NameServer
from tests.system.ports import free_port
from tests.system.privacy import SMPP_PASSWORD
from tests.system.running import MODULES, is_serving
from tests.system.waiting import until

ROOT: Final = Path(__file__).parents[2]
KINDS: Final = ("pricing", "messaging", "gateway")
PRE_DRAIN_S: Final = 2
"""Of the gateway: at least as long as it takes here to see that readiness fell."""
LEAVE_S: Final = 1.0
"""From leaving the names to SIGTERM, as a preStop wait."""
READY_S: Final = 120.0
GONE_S: Final = 20.0
"""A process without a stuck call is gone after SIGTERM within its drain."""
_LOOK_S: Final = 0.2
_HOSTS: Final = tuple(f"127.0.0.{number}" for number in range(2, 10))


@dataclass(frozen=True, slots=True)
class Release:
    """Code of one version, with the Python that runs it."""

    python: Path
    folder: Path
    has_probes: bool = True
    launcher: str | None = None
    """A program that runs a module of this release; None for `python -m`."""

    def command(self, module: str) -> list[str]:
        """Runs a service."""
        if self.launcher is None:
            return [str(self.python), "-m", module]
        return [str(self.python), "-c", self.launcher, module]


CURRENT: Final = Release(Path(sys.executable), ROOT)


@dataclass(eq=False)
class Replica:
    """One process."""

    kind: str
    host: str
    release: Release
    process: subprocess.Popen[bytes]
    ports: Mapping[str, int]
    is_listed: bool = False
    """Whether names lead to it."""
    is_leaving: bool = False
    was_ready: bool = field(default=False, init=False)

    def is_ready(self) -> bool:
        """What its probe says; a probe that takes long says nothing new, as on a busy machine."""
        if self.process.poll() is not None:
            return False
        try:
            self.was_ready = self._probe()
        except TimeoutError:
            pass
        except (OSError, http.client.HTTPException):
            self.was_ready = False
        return self.was_ready

    def _probe(self) -> bool:
        if self.release.has_probes or self.kind == "gateway":
            port = self.ports["probes" if self.release.has_probes else "serving"]
            connection = http.client.HTTPConnection(self.host, port, timeout=2)
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        return is_serving(f"{self.host}:{self.ports['serving']}")

    def calls(self) -> float:
        """Calls, or requests, that it answered, by its metrics."""
        text = httpx.get(f"http://{self.host}:{self.ports['metrics']}/metrics", trust_env=False, timeout=10).text
        wanted = {
            "gateway": "tukupay_http_requests_total{",
            "messaging": 'tukupay_grpc_server_calls_total{code="OK",method="MessagingService/SendSmsBatch"',
            "pricing": "tukupay_grpc_server_calls_total{",
        }[self.kind]
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(wanted))


class Fleet:
    """All processes of a system, and what leads to them."""

    def __init__(self, folder: Path, databases: Mapping[str, Database], **settings: str) -> None:
        """`databases` by service. `settings` are given to every process."""
        self._folder = folder
        self.messaging_database = databases["messaging"]
        self._databases = databases
        self._ports = {(kind, use): free_port() for kind in KINDS for use in ("serving", "probes", "metrics")}
        smpp, phones = free_port(), free_port()
        self.journal = folder / "carrier.jsonl"
        self.phones = SandboxPhones(f"http://127.0.0.1:{phones}", self.journal)
        self.replicas: list[Replica] = []
        self.retired: list[Replica] = []
        self._names = NameServer(self._resolve, free_port())
        self._environment = {
            "PATH": os.environ["PATH"],
            "LOG_LEVEL": "INFO",
            "PRICING_DATABASE_URL": databases["pricing"].url,
            "MESSAGING_DATABASE_URL": databases["messaging"].url,
            "MESSAGING_PRICING_ADDRESS": self._target("pricing"),
            "MESSAGING_PRICING_TLS": "proxy",
            "GATEWAY_PRICING_ADDRESS": self._target("pricing"),
            "GATEWAY_MESSAGING_ADDRESS": self._target("messaging"),
            "GATEWAY_SERVICES_TLS": "proxy",
            "GATEWAY_PRE_DRAIN_S": str(PRE_DRAIN_S),
            "SANDBOX_SMPP_ADDRESS": f"127.0.0.1:{smpp}",
            "SANDBOX_HTTP_ADDRESS": f"127.0.0.1:{phones}",
            "SANDBOX_LOG": str(self.journal),
            "SANDBOX_RECEIPT_DELAY_S": "0.05",
            "SMPP_HOST": "127.0.0.1",
            "SMPP_PORT": str(smpp),
            "SMPP_NAME": "sandbox",
            "SMPP_SYSTEM_ID": "tukupay",
            "SMPP_PASSWORD": SMPP_PASSWORD,
            "SMPP_WINDOW": "100",
            **settings,
        }
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._watch_readiness)
        self._sandbox: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._names.__enter__()
        self._watch.start()
        self._sandbox = self._run(CURRENT, "sandbox", "sandbox", {})
        until("the sandbox is up", self.phones.is_up, READY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watch.join()
        self.phones.close()
        processes = [replica.process for replica in self.replicas] + ([self._sandbox] if self._sandbox else [])
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._names.__exit__(kind, error, trace)

    # What an orchestrator does.

    def start(self, counts: Mapping[str, int], release: Release = CURRENT) -> None:
        """Starts so many of each kind at once, and waits until names lead to all."""
        started = [self.launch(kind, release) for kind, count in counts.items() for _ in range(count)]
        for replica in started:
            self.wait_listed(replica)

    def launch(self, kind: str, release: Release = CURRENT) -> Replica:
        """Starts one more, at an address that no other of its kind has."""
        taken = {replica.host for replica in self.replicas if replica.kind == kind}
        host = next(host for host in _HOSTS if host not in taken)
        ports = {use: self._ports[kind, use] for use in ("serving", "probes", "metrics")}
        listens = "HTTP" if kind == "gateway" else "GRPC"
        prefix = kind.upper()
        addresses = {
            f"{prefix}_{listens}_ADDRESS": f"{host}:{ports['serving']}",
            f"{prefix}_PROBES_ADDRESS": f"{host}:{ports['probes']}",
            f"{prefix}_METRICS_ADDRESS": f"{host}:{ports['metrics']}",
        }
        number = len(self.replicas) + len(self.retired)
        replica = Replica(kind, host, release, self._run(release, kind, f"{kind}-{number}", addresses), ports)
        self.replicas.append(replica)
        return replica

    def wait_listed(self, replica: Replica) -> None:
        """Returns when names lead to it."""

        def listed_or_over() -> bool:
            return replica.is_listed or replica.process.poll() is not None

        until(f"a new {replica.kind} is ready", listed_or_over, READY_S)
        assert replica.process.poll() is None, f"{replica.kind} ended; see {self._folder}"

    def retire(self, replica: Replica) -> float:
        """Takes one from the names, ends it, and returns the seconds from SIGTERM until it is gone."""
        replica.is_leaving, replica.is_listed = True, False
        self._over.wait(LEAVE_S)
        began = time.monotonic()
        replica.process.send_signal(signal.SIGTERM)
        assert replica.process.wait(GONE_S) == 0
        self._forget(replica)
        return time.monotonic() - began

    def kill(self, replica: Replica) -> None:
        """SIGKILL, without a word to anybody."""
        replica.process.kill()
        replica.process.wait()
        self._forget(replica)

    def roll(self, kind: str, release: Release = CURRENT) -> list[float]:
        """Replaces all of a kind, one after another: a new one first, then an old one goes. How long each end took."""
        took = []
        for old in self.of(kind):
            self.wait_listed(self.launch(kind, release))
            took.append(self.retire(old))
        return took

    # What others see.

    def of(self, kind: str) -> list[Replica]:
        """The running ones of a kind, the oldest first."""
        return [replica for replica in self.replicas if replica.kind == kind]

    def gateways(self) -> list[str]:
        """The addresses that a load balancer would use now."""
        return [f"{replica.host}:{replica.ports['serving']}" for replica in self.of("gateway") if replica.is_listed]

    def check_money(self) -> None:
        """Fails when an invariant does not hold."""
        assert broken_invariants(self.messaging_database) == []

    # How it does so.

    def _forget(self, replica: Replica) -> None:
        replica.is_listed, replica.is_leaving = False, True
        self.replicas.remove(replica)
        self.retired.append(replica)

    def _target(self, kind: str) -> str:
        return f"dns://127.0.0.1:{self._names.port}/{kind}.test:{self._ports[kind, 'serving']}"

    def _resolve(self, name: str) -> Sequence[str]:
        kind = name.removesuffix(".test")
        return [replica.host for replica in self.of(kind) if replica.is_listed]

    def _watch_readiness(self) -> None:
        while not self._over.wait(_LOOK_S):
            for replica in list(self.replicas):
                is_ready = replica.is_ready()
                replica.is_listed = is_ready and not replica.is_leaving

    def _run(self, release: Release, kind: str, name: str, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = release.command(MODULES[kind])
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                bound_command(command, death_signal=signal.SIGKILL),
                cwd=release.folder,
                env={**self._environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
