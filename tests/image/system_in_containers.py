"""The services of deploy/compose.yaml in containers, set up as its README says.

PostgreSQL and the sandbox carrier run on this machine, and all of them share its network.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.embedded.postgres_binaries import find_binaries
from tests.image.built_image import IMAGE, ROOT
from tests.image.compose_file import ComposeService, read
from tests.image.container_tools import ContainerTools
from tests.system.ports import free_port
from tests.system.waiting import until

DRAIN_S: Final = 20.0
SERVICES: Final = ("pricing", "messaging", "gateway")
_NAMES = count(1)


def _make_secrets() -> Any:
    spec = importlib.util.spec_from_file_location("make_secrets", ROOT / "deploy/compose/make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Containers:
    """The system in the making, and what an operator does with it."""

    def __init__(self, tools: ContainerTools, folder: Path, server: EmbeddedPostgres, database_port: int) -> None:
        self.tools = tools
        self.folder = folder
        self.secrets = folder / "secrets"
        self._run = f"tukupay-test-{os.getpid()}-{next(_NAMES)}"
        self._server = server
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {
            name: free_port() for name in ("sandbox", "phones", *SERVICES, *(f"{each} probes" for each in SERVICES))
        }
        _secrets = _make_secrets()
        _secrets.write(self.secrets, _secrets.made("any", database=f"127.0.0.1:{database_port}"))
        self._document = read(
            {"SMPP_HOST": "127.0.0.1", "SMPP_PORT": str(self.ports["sandbox"]), "SMPP_SYSTEM_ID": "tukupay"}
        )

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def service(self, name: str) -> ComposeService:
        addresses = {f"{each.upper()}_PROBES_ADDRESS": self._address(f"{each} probes") for each in SERVICES} | {
            f"{each.upper()}_METRICS_ADDRESS": f"127.0.0.1:{free_port()}" for each in SERVICES
        }
        addresses |= {
            "PRICING_GRPC_ADDRESS": self._address("pricing"),
            "MESSAGING_GRPC_ADDRESS": self._address("messaging"),
            "MESSAGING_PRICING_ADDRESS": self._address("pricing"),
            "GATEWAY_HTTP_ADDRESS": self._address("gateway"),
            "GATEWAY_PRICING_ADDRESS": self._address("pricing"),
            "GATEWAY_MESSAGING_ADDRESS": self._address("messaging"),
        }
        return ComposeService(self._document, name, self.secrets, addresses)

    def make_databases(self) -> None:
        """What the container of PostgreSQL does when its volume is empty."""
        query = dict(each.split("=") for each in self._server.url("postgres").partition("?")[2].split("&"))
        environment = {
            "PATH": f"{find_binaries()}:{os.environ['PATH']}",
            "PGHOST": query["host"],
            "PGPORT": query["port"],
            "POSTGRES_USER": "tukupay",
            "SECRETS": str(self.secrets),
        }
        subprocess.run([ROOT / "deploy/compose/make_databases.sh"], env=environment, check=True)

    def migrate(self, service: str) -> str:
        """What the migration of a service printed; fails when it did."""
        migration = self.service(f"migrate-{service}")
        done = self.tools.run("podman", "run", "--rm", *migration.options(), IMAGE, *migration.said["command"])
        return done.stdout

    def start(self, name: str) -> None:
        """Starts a container, and waits until its health check says yes."""
        service = self.service(name)
        words = ("podman", "run", "--rm", f"--name={self._run}-{name}", *service.options(), IMAGE)
        self._begin(name, self.tools.command(*words, *service.said["command"]), self.tools.environment)
        port = self.ports[f"{name} probes"]
        until(f"{name} is ready", lambda: self._answers(f"http://127.0.0.1:{port}/readyz"), 60)

    def _begin(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _answers(self, url: str) -> bool:
        try:
            return httpx.get(url, trust_env=False, timeout=5).is_success
        except httpx.TransportError:
            return False

    def health_check(self, name: str) -> int:
        """The exit code of the health check that the file names, in the container."""
        _, *command = self.service(name).said["healthcheck"]["test"]
        command = [each.replace("8081", str(self.ports[f"{name} probes"])) for each in command]
        return self.tools.run("podman", "exec", f"{self._run}-{name}", *command, check=False).returncode

    def start_sandbox(self) -> None:
        settings = {
            "SANDBOX_SMPP_ADDRESS": self._address("sandbox"),
            "SANDBOX_HTTP_ADDRESS": self._address("phones"),
            "SANDBOX_RECEIPT_DELAY_S": "0.1",
        }
        self._begin("sandbox", [sys.executable, "-m", "sandbox_carriers.smpp"], settings)
        until("the sandbox is up", lambda: self._answers(f"http://{self._address('phones')}/stats"))

    def accepted(self) -> dict[str, int]:
        """The counts of the carrier."""
        counts: dict[str, int] = httpx.get(f"http://{self._address('phones')}/stats", trust_env=False).json()
        return counts

    def command(self, *words: str) -> str:
        """What a command of the operator printed."""
        environment = {
            "TUKUPAY_HOME": str(self.folder / "home"),
            "TUKUPAY_TOKEN_FILE": str(self.secrets / "operator_token"),
            "PRICING_GRPC_ADDRESS": self._address("pricing"),
            "MESSAGING_GRPC_ADDRESS": self._address("messaging"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "sms_cli", *words],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self, name: str) -> tuple[int, float]:
        """Sends SIGTERM to the process of a service; its exit code, and the seconds that it took."""
        process = self._processes.pop(name)
        begin = time.monotonic()
        process.terminate()
        code = process.wait(DRAIN_S + 20)
        return code, time.monotonic() - begin

    def clean_up(self) -> None:
        for name, process in self._processes.items():
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                self.tools.run("podman", "rm", "--force", f"{self._run}-{name}", check=False)
                process.kill()
                process.wait()

    @property
    def gateway(self) -> str:
        return f"http://{self._address('gateway')}"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8")


@contextmanager
def containers(tools: ContainerTools, folder: Path) -> Iterator[Containers]:
    port = free_port()
    with EmbeddedPostgres(folder / "data", port=port, fsync=False) as server:
        made = Containers(tools, folder, server, port)
        try:
            yield made
        finally:
            made.clean_up()
