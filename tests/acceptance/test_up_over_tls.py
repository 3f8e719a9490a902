"""`tukupay-sms up --tls`: the whole system over HTTPS and mTLS, and commands that find their way."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.acceptance.local_system import READY, LocalSystem, eventually, free_addresses
from tests.system.certificates import Authority

pytestmark = pytest.mark.timeout(240)

IS_LONG = bool(os.environ.get("TUKUPAY_LONG"))
ROTATIONS = 20 if IS_LONG else 1
REQUESTS_A_SECOND = 50

SEND = {"userId": "user123", "recipientPhoneNumber": "+254712345678", "message": "Over TLS", "senderId": "TUKUPAY"}


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    made = LocalSystem(tmp_path_factory.mktemp("tls") / "home", free_addresses())
    try:
        made.start(arguments=("--tls",))
        made.wait_for(READY)
        yield made
    finally:
        made.clean_up()


@pytest.fixture(scope="module")
def files(over_tls: LocalSystem) -> Path:
    return over_tls.home / "tls"


def https(system: LocalSystem, authority: str) -> httpx.Client:
    context = ssl.create_default_context(cadata=authority)
    url = f"https://{system.addresses['GATEWAY_HTTP_ADDRESS']}"
    return httpx.Client(base_url=url, verify=context, trust_env=False, timeout=20)


def call(address: str, authority: bytes, key: bytes | None = None, chain: bytes | None = None) -> grpc.StatusCode:
    credentials = grpc.ssl_channel_credentials(authority, key, chain)
    with grpc.secure_channel(address, credentials, options=(("grpc.enable_http_proxy", 0),)) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


def test_a_message_is_sent_over_https_and_mtls(over_tls: LocalSystem, files: Path) -> None:
    with https(over_tls, (files / "ca.crt").read_text()) as client:
        answer = client.post("/api/sms/send", json=SEND)
    assert (answer.status_code, answer.json()["status"]) == (200, "success")


def test_curl_sends_as_the_screen_says(over_tls: LocalSystem, files: Path) -> None:
    url = f"https://{over_tls.addresses['GATEWAY_HTTP_ADDRESS']}"
    assert any(f"curl -sS --cacert {files / 'ca.crt'} -X POST {url}/api/sms/send" in line for line in over_tls.output)
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--cacert", str(files / "ca.crt"), f"{url}/readyz"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert json.loads(done.stdout)["status"] == "ready"


def test_commands_find_the_certificates_of_the_running_system(over_tls: LocalSystem) -> None:
    for arguments in (("status",), ("accounts", "list"), ("costs", "current", "TukuPay")):
        done = over_tls.run(*arguments)
        assert done.returncode == 0, done.stderr


def test_a_client_that_does_not_know_the_authority_does_not_send(over_tls: LocalSystem) -> None:
    with (
        https(over_tls, Authority("somebody else").pem.decode()) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get("/readyz")


def test_plain_http_is_not_answered(over_tls: LocalSystem) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{over_tls.addresses['GATEWAY_HTTP_ADDRESS']}/readyz", trust_env=False, timeout=20)


@pytest.mark.parametrize("service", ["PRICING_GRPC_ADDRESS", "MESSAGING_GRPC_ADDRESS"])
def test_services_let_in_those_with_a_certificate_alone(over_tls: LocalSystem, files: Path, service: str) -> None:
    address, ca = over_tls.addresses[service], (files / "ca.crt").read_bytes()
    own = (files / "operator.key").read_bytes(), (files / "operator.crt").read_bytes()
    foreign = Authority("somebody else").sign()
    assert call(address, ca, *own) is grpc.StatusCode.OK
    assert call(address, ca) is grpc.StatusCode.UNAVAILABLE
    assert call(address, ca, foreign.key, foreign.chain) is grpc.StatusCode.UNAVAILABLE


class Load:
    """Requests that reach both services, every other one over a new connection."""

    PATHS = ("/api/sms-costs/resolve?customerId=cust123", "/api/sms/outbox?userId=user123")

    def __init__(self, system: LocalSystem, authority: str) -> None:
        self._url = f"https://{system.addresses['GATEWAY_HTTP_ADDRESS']}"
        self._context = ssl.create_default_context(cadata=authority)
        self.outcomes: Counter[str] = Counter()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, verify=self._context, trust_env=False, timeout=20)

    async def run(self, until: asyncio.Event) -> None:
        """Sends so many requests a second until the event is set, and waits for their answers."""
        async with self._client() as kept, asyncio.TaskGroup() as requests:
            for number in count():
                if until.is_set():
                    return
                requests.create_task(self._request(kept if number % 2 else None, self.PATHS[number // 2 % 2]))
                await asyncio.sleep(1 / REQUESTS_A_SECOND)

    async def _request(self, kept: httpx.AsyncClient | None, path: str) -> None:
        try:
            if kept is not None:
                answer = await kept.get(path)
            else:
                async with self._client() as fresh:
                    answer = await fresh.get(path)
        except httpx.HTTPError as error:
            self.outcomes[repr(error)] += 1
        else:
            self.outcomes[str(answer.status_code)] += 1


def renewals(logs: Path) -> list[int]:
    """How often each part went over to new certificates, everywhere that it uses them."""
    expected = {"pricing": ("tls.files_taken", 1), "messaging": ("tls.channel_renewed", 1)}
    expected |= {"gateway": ("tls.channel_renewed", 2)}
    return [(logs / f"{part}.log").read_text().count(event) // uses for part, (event, uses) in expected.items()]


@pytest.mark.timeout(900)
def test_no_request_fails_while_all_certificates_are_renewed(over_tls: LocalSystem, files: Path) -> None:
    load = Load(over_tls, (files / "ca.crt").read_text())

    async def renew() -> None:
        enough = asyncio.Event()
        under_load = asyncio.create_task(load.run(enough))
        for rotation in range(1, ROTATIONS + 1):
            done = await asyncio.to_thread(over_tls.run, "certificates", "create", "--into", str(files), "--days", "5")
            assert done.returncode == 0, done.stderr
            taken = partial(lambda number: min(renewals(over_tls.home / "logs")) >= number, rotation)
            assert await asyncio.to_thread(eventually, taken)
        enough.set()
        await under_load

    asyncio.run(renew())
    if IS_LONG:
        print(f"\n{ROTATIONS} rotations of all certificates: {dict(load.outcomes)}")  # noqa: T201
    assert load.outcomes.keys() == {"200"}


def test_commands_print_json_alone_also_when_their_certificate_ends_soon(over_tls: LocalSystem, files: Path) -> None:
    assert over_tls.run("certificates", "create", "--into", str(files), "--days", "1").returncode == 0
    done = over_tls.run("accounts", "list", "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
