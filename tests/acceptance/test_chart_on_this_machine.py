"""What the chart renders runs: its Jobs and containers as processes here, with its files, names and certificates.

Long (TUKUPAY_LONG=1), and left out where helm or a PostgreSQL with TLS is not. In place of a cluster there are a
loopback address for each pod, a name server, and the sandbox carrier.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import psycopg
import pytest
from psycopg import sql

from service_kit.embedded.bound_process import bound_command, unprivileged_user
from tests.system import pgbouncer
from tests.system.carrier import SandboxPhones
from tests.system.certificates import LOOPBACK
from tests.system.chart import CHART, COMPONENTS, Object, component, deployments, helm, needs_helm, of_kind, parsed
from tests.system.effort import IS_LONG
from tests.system.name_server import NameServer
from tests.system.ports import free_port
from tests.system.process import Process
from tests.system.secured_postgres import FOUND, Secured
from tests.system.waiting import until
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2, access_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

pytestmark = [
    needs_helm,
    pytest.mark.skipif(not IS_LONG, reason="long; TUKUPAY_LONG=1"),
    pytest.mark.skipif(FOUND is None, reason="no PostgreSQL with TLS; TUKUPAY_TEST_POSTGRES_BIN names one"),
]

PODS = {"pricing": "127.0.0.11", "messaging": "127.0.0.12", "gateway": "127.0.0.13"}
PREFIX = "sms-tukupay-sms"
OPERATOR = {
    "name": "operator",
    "kind": "operator",
    "uri": "spiffe://tukupay/operator",
    "scopes": ["*"],
    "accounts": "all",
}


def _make_database(database: Secured, name: str) -> None:
    """As the guide tells to."""
    with psycopg.connect(database.server.url("postgres"), autocommit=True) as connection:
        for role in (name, f"{name}_owner"):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(sql.Identifier(role)))
        owner = sql.Identifier(f"{name}_owner")
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))


class Cluster:
    """The objects of the chart, and what this machine has for a cluster."""

    def __init__(self, root: Path, database: Secured, *, is_pooled: bool) -> None:
        self.root = root
        self.is_pooled = is_pooled
        self.smpp, self.phones, self.dns = free_port(), free_port(), free_port()
        self.ports = {name: free_port() for name in ("grpc", "http", "probes", "metrics")}
        values = {
            "ports": self.ports,
            "database": {"hosts": ["localhost"], "port": database.port},
            "pgbouncer": {"enabled": is_pooled, "port": free_port()},
            "messaging": {"smpp": {"host": "127.0.0.1", "port": self.smpp, "maxBinds": 2}},
            "certManager": {"enabled": True, "operator": {"enabled": True}},
            "access": {"identities": [OPERATOR]},
        }
        file = root / "values.json"
        file.write_text(json.dumps(values))
        done = helm("template", "sms", str(CHART), "--namespace", "sms", "--values", str(file))
        assert done.returncode == 0, done.stderr
        self.objects = parsed(done.stdout)
        self.authority = database.authority
        for name in ("pricing", "messaging"):
            _make_database(database, name)

    def secret(self, name: str, key: str) -> bytes:
        """What somebody would have made: URLs without a host, passwords, and what cert-manager makes."""
        for certificate in of_kind(self.objects, "Certificate"):
            if certificate["spec"]["secretName"] == name:
                uri = next(iter(certificate["spec"].get("uris", [])), None)
                signed = self.authority.sign(uri, certificate["spec"]["dnsNames"])
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
            f"{PREFIX}-pgbouncer-users": '"messaging" "secret"\n"pricing" "secret"\n',
        }
        return known[name].encode()

    def put_files(self, spec: Object, container: Object, pod: Path) -> None:
        """Puts what a container mounts below a folder."""
        texts = {each["metadata"]["name"]: each["data"] for each in of_kind(self.objects, "ConfigMap")}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if mount["name"] == "tmp":
                continue
            folder = pod / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in self._files(volumes[mount["name"]], texts):
                (folder / name).write_bytes(content)

    def environment(self, container: Object, pod: Path, address: str) -> dict[str, str]:
        """The environment of a container, with files, names and addresses of this machine."""
        return {
            "PATH": os.environ["PATH"],
            **{
                each["name"]: each["value"]
                .replace("/etc/tukupay-sms", f"{pod}/etc/tukupay-sms")
                .replace("dns:///", f"dns://127.0.0.1:{self.dns}/")
                .replace("0.0.0.0", address)
                # libpq asks the machine for names.
                .replace(f"{PREFIX}-pgbouncer", "localhost")
                for each in container["env"]
            },
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
            keys = ("userlist.txt",) if volume["name"] == "users" else ("tls.crt", "tls.key", "ca.crt")
            items = volume["secret"].get("items") or [{"key": key, "path": key} for key in keys]
            for item in items:
                yield item["path"], self.secret(volume["secret"]["secretName"], item["key"])

    def pod(self, name: str) -> Process:
        """A pod of a component, as a process that is ready when its probe says so."""
        spec = deployments(self.objects)[name]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        folder = self.root / name
        self.put_files(spec, container, folder)
        environment = self.environment(container, folder, PODS[name])
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
        folder = self.root / f"migrate-{name}"
        self.put_files(spec, container, folder)
        environment = self.environment(container, folder, "127.0.0.1")
        command = [sys.executable, *container["args"][1:]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    @contextmanager
    def pooler(self) -> Iterator[None]:
        """The pod of PgBouncer, where there is one; not as root, as PgBouncer refuses to."""
        if not self.is_pooled:
            yield
            return
        (deployment,) = (each for each in of_kind(self.objects, "Deployment") if component(each) == "pgbouncer")
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        pod, user = Path(tempfile.mkdtemp()), unprivileged_user()
        try:
            self.put_files(spec, container, pod)
            ini = pod / "etc" / "pgbouncer" / "pgbouncer.ini"
            text = ini.read_text().replace("/etc/", f"{pod}/etc/").replace("listen_addr = *", "listen_addr = 127.0.0.1")
            # It takes the first address of a name, which is ::1.
            ini.write_text(text.replace("host=localhost", "host=127.0.0.1"))
            for path in (pod, *pod.rglob("*")):
                if user is not None:
                    os.chown(path, user.uid, user.gid)
            command = bound_command([pgbouncer.program() or "", str(ini)], death_signal=signal.SIGKILL, user=user)
            with (self.root / "pgbouncer.log").open("wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
            try:
                yield
                assert process.poll() is None, (self.root / "pgbouncer.log").read_text()
            finally:
                process.kill()
                process.wait()
        finally:
            shutil.rmtree(pod)

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


@pytest.fixture(params=[False, True], ids=["direct", "pooled"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    is_pooled: bool = request.param
    if is_pooled and pgbouncer.program() is None:
        pytest.skip(f"no PgBouncer; {pgbouncer.SETTING} names one")
    database = Secured(tmp_path, LOOPBACK)
    try:
        database.start()
        cluster = Cluster(tmp_path, database, is_pooled=is_pooled)
        names = {f"{PREFIX}-{name}": [address] for name, address in PODS.items()}
        with NameServer(lambda name: names.get(name, []), cluster.dns), cluster.pooler():
            yield cluster
    finally:
        database.server.close()


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
        if cluster.is_pooled:
            said = (cluster.root / "pgbouncer.log").read_text()
            assert "login attempt: db=messaging user=messaging tls=TLSv1.3" in said
            assert "login attempt: db=pricing user=pricing tls=TLSv1.3" in said
        for process in running.values():
            process.terminate()
        assert {name: process.wait() for name, process in running.items()} == dict.fromkeys(COMPONENTS, 0)
    finally:
        phones.close()
        for process in (*running.values(), sandbox):
            process.stop()
