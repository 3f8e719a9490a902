"""Pricing, messaging, the sandbox carrier and the gateway as real processes, on databases of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.system.carrier import SandboxPhones
from tests.system.databases import Database
from tests.system.forked_commands import forked_commands
from tests.system.money import broken_invariants
from tests.system.pgbouncer import service_urls
from tests.system.ports import free_port
from tests.system.privacy import SMPP_PASSWORD, leaks
from tests.system.process import Process
from tests.system.rest import Rest
from tests.system.waiting import until

MODULES = {
    "pricing": "pricing_service",
    "sandbox": "sandbox_carriers.smpp",
    "messaging": "messaging_service",
    "gateway": "gateway_http",
}
_QUICK = {
    "LOG_LEVEL": "DEBUG",
    "MESSAGING_POOL_TIMEOUT_S": "0.5",
    "PRICING_POOL_TIMEOUT_S": "0.5",
    "MESSAGING_PRE_DRAIN_S": "0.3",
    "PRICING_PRE_DRAIN_S": "0.3",
    "SANDBOX_RECEIPT_DELAY_S": "0.05",
    "SANDBOX_RECEIPT_RETRY_S": "0.2",
    "SMPP_WINDOW": "100",
    "SMS_CARRIER_GRACE_S": "0.3",
    "SMS_POLL_S": "0.1",
    "SMS_SWEEP_S": "0.1",
}
"""So that nothing takes longer than a test needs; every one can be set otherwise."""


def is_serving(address: str) -> bool:
    """Whether the gRPC server at an address says that it takes calls."""
    with grpc.insecure_channel(address, options=(("grpc.enable_http_proxy", 0),)) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(frozen=True)
class Replica:
    """A second messaging process."""

    process: Process
    gateway: Process
    rest: Rest
    """The client of the gateway that sends everything to this replica."""


class System:
    """Everything between an HTTP client and a phone."""

    def __init__(self, folder: Path, databases: Mapping[str, Database], settings: Mapping[str, str]) -> None:
        self._folder = folder
        self.pricing_database = databases["pricing"]
        self.messaging_database = databases["messaging"]
        self._addresses = {
            name: f"127.0.0.1:{free_port()}"
            for name in (
                *("pricing", "messaging", "gateway", "smpp", "phones"),
                *("pricing metrics", "messaging metrics", "gateway metrics"),
            )
        }
        self.messaging_address = self._addresses["messaging"]
        self.pricing_address = self._addresses["pricing"]
        self.journal = folder / "carrier.jsonl"
        self._environment = {"PATH": os.environ["PATH"], **self._settings(), **_QUICK, **settings}
        self.phones = SandboxPhones(f"http://{self._addresses['phones']}", self.journal)
        self.rest = Rest(f"http://{self._addresses['gateway']}")
        self.pricing = self._process("pricing", lambda: is_serving(self._addresses["pricing"]))
        self.sandbox = self._process("sandbox", self.phones.is_up)
        self.messaging = self._process("messaging", lambda: self._takes_messages(self._addresses["messaging"]))
        self.gateway = self._process("gateway", self.rest.is_alive)
        self.processes = [self.gateway, self.messaging, self.pricing, self.sandbox]
        self._clients = [self.rest]

    def _settings(self) -> dict[str, str]:
        addresses = self._addresses
        host, _, port = addresses["smpp"].rpartition(":")
        return {
            **service_urls("PRICING_DATABASE_URL", self.pricing_database.url),
            "PRICING_GRPC_ADDRESS": addresses["pricing"],
            **service_urls("MESSAGING_DATABASE_URL", self.messaging_database.url),
            "MESSAGING_GRPC_ADDRESS": addresses["messaging"],
            "MESSAGING_PRICING_ADDRESS": addresses["pricing"],
            "GATEWAY_HTTP_ADDRESS": addresses["gateway"],
            "PRICING_METRICS_ADDRESS": addresses["pricing metrics"],
            "MESSAGING_METRICS_ADDRESS": addresses["messaging metrics"],
            "GATEWAY_METRICS_ADDRESS": addresses["gateway metrics"],
            "GATEWAY_PRICING_ADDRESS": addresses["pricing"],
            "GATEWAY_MESSAGING_ADDRESS": addresses["messaging"],
            "SANDBOX_SMPP_ADDRESS": addresses["smpp"],
            "SANDBOX_HTTP_ADDRESS": addresses["phones"],
            "SANDBOX_LOG": str(self.journal),
            "SMPP_HOST": host,
            "SMPP_PORT": port,
            "SMPP_NAME": "sandbox",
            "SMPP_SYSTEM_ID": "tukupay",
            "SMPP_PASSWORD": SMPP_PASSWORD,
        }

    def start(self, *, without_messaging: bool = False) -> None:
        """Starts all parts at once, and waits until messages can be sent."""
        self.sandbox.launch()
        self.pricing.launch()
        if not without_messaging:
            self.messaging.launch()
        self.gateway.launch()
        for process in (self.sandbox, self.pricing, self.messaging, self.gateway):
            if process.is_running:
                process.wait_ready()

    def stop(self) -> None:
        """Stops all parts at once."""
        for client in self._clients:
            client.close()
        self.phones.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.stop()

    def add_replica(self) -> Replica:
        """A second messaging process on the same database and carrier, with a gateway of its own; not started."""
        messaging, address = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        rest = Rest(f"http://{address}")
        process = self._process(
            "messaging-2",
            lambda: self._takes_messages(messaging),
            {"MESSAGING_GRPC_ADDRESS": messaging, "MESSAGING_METRICS_ADDRESS": ""},
        )
        gateway = self._process(
            "gateway-2",
            rest.is_alive,
            {"GATEWAY_HTTP_ADDRESS": address, "GATEWAY_METRICS_ADDRESS": "", "GATEWAY_MESSAGING_ADDRESS": messaging},
        )
        self.processes[:0] = [gateway, process]
        self._clients.append(rest)
        return Replica(process, gateway, rest)

    # What tests look at.

    def metrics(self, service: str, accept: str = "text/plain") -> str:
        """What a service exports now, as Prometheus reads it."""
        url = f"http://{self._addresses[f'{service} metrics']}/metrics"
        return httpx.get(url, headers={"accept": accept}, trust_env=False, timeout=10).raise_for_status().text

    def traces(self) -> dict[str, int]:
        """What a request leaves behind when it is more than refused."""
        tables = ("message", "idempotency", "account", "ledger_entry", "dispatch")
        counts: dict[str, int] = {
            table: self.messaging_database.value(f"SELECT count(*) FROM {table}") for table in tables
        }
        counts["submits"] = self.phones.stats()["submits"]
        return counts

    def state(self, outbox_id: str) -> str:
        """The exact state of a message."""
        state: str = self.messaging_database.value(
            "SELECT state FROM message WHERE id = %s::uuid", outbox_id.removeprefix("outbox_")
        )
        return state

    def wait_for_state(self, outbox_id: str, *states: str) -> None:
        """Returns when a message is in one of these states."""
        until(f"a message is {' or '.join(states)}", lambda: self.state(outbox_id) in states)

    def account(self, user: str) -> tuple[float, float]:
        """Posted and held of an account in KES, each the float next to the exact amount; zeros without an account."""
        rows = self.messaging_database.rows("SELECT posted, held FROM account WHERE id = %s", user)
        return (float(rows[0][0]), float(rows[0][1])) if rows else (0.0, 0.0)

    def events(self, outbox_id: str) -> list[str]:
        """The states that a message went through."""
        query = "SELECT to_state FROM message_event WHERE message_id = %s::uuid ORDER BY id"
        return [row[0] for row in self.messaging_database.rows(query, outbox_id.removeprefix("outbox_"))]

    def check_money(self) -> None:
        """Fails when an invariant does not hold."""
        assert broken_invariants(self.messaging_database) == []

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `tukupay-sms` with these arguments on this system; it is ended after a minute."""
        environment = {"PATH": os.environ["PATH"], "TUKUPAY_HOME": str(self._folder), "COLUMNS": "200"}
        return forked_commands().run(arguments, {**environment, **self._settings()})

    def leaks(self) -> list[str]:
        """Private things in what any process wrote, in this run and before."""
        return [f"{process.name}: {leak}" for process in self.processes for leak in leaks(process.log)]

    # How parts are told to be ready.

    def _takes_messages(self, address: str) -> bool:
        if not is_serving(address):
            return False
        if self.sandbox.is_running:
            serving = sum(process.is_running for process in self.processes if process.name.startswith("messaging"))
            if self.phones.stats()["binds"] < serving:
                return False
        return not self.gateway.is_running or address != self._addresses["messaging"] or self.rest.is_ready()

    def _process(self, name: str, is_ready: Callable[[], bool], settings: Mapping[str, str] | None = None) -> Process:
        module = MODULES[name.partition("-")[0]]
        return Process(
            name,
            ["-m", module],
            {**self._environment, **(settings or {})},
            self._folder / f"{name}.log",
            is_ready,
        )
