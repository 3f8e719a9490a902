"""What the chart renders runs: its Jobs and containers as processes here, with its files, names and certificates.

Long (TUKUPAY_LONG=1), and left out where helm is not. In place of a cluster there are a loopback address for each pod,
a name server, PostgreSQL over a socket, and the sandbox carrier.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.system.carrier import SandboxPhones
from tests.system.certificates import Authority
from tests.system.chart import CHART, COMPONENTS, Object, deployments, helm, needs_helm, of_kind, parsed
from tests.system.effort import IS_LONG
from tests.system.name_server import NameServer
from tests.system.ports import free_port
from tests.system.process import Process
from tests.system.waiting import until
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2, access_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

pytestmark = [needs_helm, pytest.mark.skipif(not IS_LONG, reason="long; TUKUPAY_LONG=1")]

PODS = {"pricing": "127.0.0.11", "messaging": "127.0.0.12", "gateway": "127.0.0.13"}
PREFIX = "sms-tukupay-sms"
OPERATOR = {
    "name": "operator",
    "kind": "operator",
    "uri": "spiffe://tukupay/operator",
    "scopes": ["*"],
    "accounts": "all",
}


class Cluster:
    """The objects of the chart, and what this machine has for a cluster."""

    def __init__(self, root: Path, server: EmbeddedPostgres) -> None:
        self.root = root
        self.smpp, self.phones, self.dns = free_port(), free_port(), free_port()
        self.ports = {name: free_port() for name in ("grpc", "http", "probes", "metrics")}
        self.database = conninfo_to_dict(server.url("postgres"))
        values = {
            "ports": self.ports,
            "messaging": {"smpp": {"host": "127.0.0.1", "port": self.smpp, "maxBinds": 2}},
            "certManager": {"enabled": True, "operator": {"enabled": True}},
            "access": {"identities": [OPERATOR]},
        }
        file = root / "values.json"
        file.write_text(json.dumps(values))
        done = helm("template", "sms", str(CHART), "--namespace", "sms", "--values", str(file))
        assert done.returncode == 0, done.stderr
        self.objects = parsed(done.stdout)
        self.authority = Authority()
        for name in ("pricing", "messaging"):
            self._make_database(server, name)

    def _make_database(self, server: EmbeddedPostgres, name: str) -> None:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for role in (name, f"{name}_owner"):
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(f"{name}_owner"))
            )

    def secret(self, name: str, key: str) -> bytes:
        """What somebody would have made: URLs without a host, passwords, and what cert-manager makes."""
        for certificate in of_kind(self.objects, "Certificate"):
            if certificate["spec"]["secretName"] == name:
                signed = self.authority.sign(certificate["spec"]["uris"][0], certificate["spec"]["dnsNames"])
                # Both files of a pair are made at once.
                folder = self.root / "certificates" / name
                if not folder.exists():
                    folder.mkdir(parents=True)
                    (folder / "tls.crt").write_bytes(signed.chain)
                    (folder / "tls.key").write_bytes(signed.key)
                    (folder / "ca.crt").write_bytes(self.authority.pem)
                return (folder / key).read_bytes()
        service = name.split("-")[3] if name.startswith(PREFIX) else ""
        known = {
            f"{PREFIX}-{service}-database": f"postgresql://{service}:secret@/{service}",
            f"{PREFIX}-{service}-owner": f"postgresql://{service}_owner:secret@/{service}",
            f"{PREFIX}-messaging-smpp": "password",
            f"{PREFIX}-database-ca": self.authority.pem.decode(),
        }
        return known[name].encode()

    def environment(self, spec: Object, container: Object, pod: Path, address: str) -> dict[str, str]:
        """Puts the files of a pod below a folder, and gives the environment that names them there."""
        texts = {each["metadata"]["name"]: each["data"] for each in of_kind(self.objects, "ConfigMap")}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if mount["name"] == "tmp":
                continue
            folder = pod / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in self._files(volumes[mount["name"]], texts):
                (folder / name).write_bytes(content)
        there = {
            "PGHOST": str(self.database["host"]),
            "PGPORT": str(self.database["port"]),
        }
        return {
            "PATH": os.environ["PATH"],
            **{
                each["name"]: each["value"]
                .replace("/etc/tukupay-sms", f"{pod}/etc/tukupay-sms")
                .replace("dns:///", f"dns://127.0.0.1:{self.dns}/")
                .replace("0.0.0.0", address)
                for each in container["env"]
            },
            **there,
        }

    def _files(self, volume: Object, texts: dict[str, dict[str, str]]) -> Iterator[tuple[str, bytes]]:
        if "configMap" in volume:
            for name, text in texts[volume["configMap"]["name"]].items():
                yield name, text.encode()
        elif "projected" in volume:
            for source in volume["projected"]["sources"]:
                for item in source["secret"]["items"]:
                    yield item["path"], self.secret(source["secret"]["name"], item["key"])
        else:
            items = volume["secret"].get("items") or [{"key": k, "path": k} for k in ("tls.crt", "tls.key", "ca.crt")]
            for item in items:
                yield item["path"], self.secret(volume["secret"]["secretName"], item["key"])

    def pod(self, name: str) -> Process:
        """A pod of a component, as a process that is ready when its probe says so."""
        spec = deployments(self.objects)[name]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        folder = self.root / name
        environment = self.environment(spec, container, folder, PODS[name])
        assert container["args"][0] == "python"
        return Process(
            name,
            container["args"][1:],
            environment,
            self.root / f"{name}.log",
            lambda: self.probe(name, "/readyz") == 200,
        )

    def migrate(self, name: str) -> subprocess.CompletedProcess[str]:
        """Runs the Job of a service to its end."""
        (job,) = (each for each in of_kind(self.objects, "Job") if f"-{name}-" in each["metadata"]["name"])
        spec = job["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        environment = self.environment(spec, container, self.root / f"migrate-{name}", "127.0.0.1")
        command = [sys.executable, *container["args"][1:]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def probe(self, name: str, path: str) -> int:
        """The status of a probe; 0 while nobody answers."""
        try:
            return httpx.get(
                f"http://{PODS[name]}:{self.ports['probes']}{path}", trust_env=False, timeout=5
            ).status_code
        except httpx.TransportError:
            return 0

    def channel(self, name: str) -> grpc.Channel:
        """A channel of the operator to a service, by its name in the cluster."""
        key, chain = (self.secret(f"{PREFIX}-operator-tls", f"tls.{part}") for part in ("key", "crt"))
        credentials = grpc.ssl_channel_credentials(self.authority.pem, key, chain)
        return grpc.secure_channel(
            f"dns://127.0.0.1:{self.dns}/{PREFIX}-{name}:{self.ports['grpc']}", credentials,
            options=(("grpc.enable_http_proxy", 0),),
        )  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with EmbeddedPostgres(tmp_path / "postgres", fsync=False) as server:
        cluster = Cluster(tmp_path, server)
        names = {f"{PREFIX}-{name}": [address] for name, address in PODS.items()}
        with NameServer(lambda name: names.get(name, []), cluster.dns):
            yield cluster


def set_price(cluster: Cluster) -> None:
    with cluster.channel("pricing") as channel:
        request = pricing_pb2.SetCostRequest(
            level=pricing_pb2.COST_LEVEL_DIRECT_CUSTOMER, price_micros=800_000, created_by="operator"
        )
        request.effective_from.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
        pricing_pb2_grpc.PricingServiceStub(channel).SetCost(request, timeout=20)


def make_key(cluster: Cluster) -> str:
    terms = access_pb2.KeyTerms(
        name="till", mode=common.ACCESS_MODE_LIVE, accounts=["user123"], scopes=["sms:send", "sms:read"]
    )
    with cluster.channel("messaging") as channel:
        made = access_pb2_grpc.AccessServiceStub(channel).CreateKey(
            access_pb2.CreateKeyRequest(terms=terms), timeout=20
        )
    return made.secret


def send(cluster: Cluster, key: str | None) -> httpx.Response:
    trust = ssl.create_default_context(cadata=cluster.authority.pem.decode())
    with httpx.Client(verify=trust, trust_env=False, timeout=40) as client:
        return client.post(
            f"https://{PODS['gateway']}:{cluster.ports['http']}/api/sms/send",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            json={
                "userId": "user123",
                "recipientPhoneNumber": "+254712345678",
                "message": "Hello",
                "senderId": "TUKUPAY",
            },
            extensions={"sni_hostname": f"{PREFIX}-gateway"},
        )


def test_pods_wait_for_their_jobs_and_send_over_mutual_tls(cluster: Cluster) -> None:
    sandbox_settings: dict[str, Any] = {
        "PATH": os.environ["PATH"],
        "SANDBOX_SMPP_ADDRESS": f"127.0.0.1:{cluster.smpp}",
        "SANDBOX_HTTP_ADDRESS": f"127.0.0.1:{cluster.phones}",
        "SANDBOX_LOG": str(cluster.root / "carrier.jsonl"),
    }
    phones = SandboxPhones(f"http://127.0.0.1:{cluster.phones}", cluster.root / "carrier.jsonl")
    sandbox = Process(
        "sandbox", ["-m", "sandbox_carriers.smpp"], sandbox_settings, cluster.root / "sandbox.log", phones.is_up
    )
    running = {name: cluster.pod(name) for name in COMPONENTS}
    try:
        sandbox.launch()
        for process in running.values():
            process.launch()
        for name in ("pricing", "messaging"):
            until(f"{name} lives", lambda name=name: cluster.probe(name, "/livez") == 200)  # type: ignore[misc]  # bound at once
            assert cluster.probe(name, "/startupz") == cluster.probe(name, "/readyz") == 503
        for name in ("pricing", "messaging"):
            for _ in range(2):
                done = cluster.migrate(name)
                assert done.returncode == 0, done.stderr
        for process in running.values():
            process.wait_ready()
        set_price(cluster)
        assert send(cluster, None).status_code == 401
        answer = send(cluster, make_key(cluster))
        assert answer.status_code < 300, answer.text
        phones.wait_for("+254712345678")
        for process in running.values():
            process.terminate()
        assert {name: process.wait() for name, process in running.items()} == dict.fromkeys(COMPONENTS, 0)
    finally:
        phones.close()
        for process in (*running.values(), sandbox):
            process.stop()
