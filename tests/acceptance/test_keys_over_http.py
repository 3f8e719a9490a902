"""An app sends with an API key, over two gateways and two messaging processes, where access is required."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service_kit.access.api_key import generate
from service_kit.access.principal import AccessMode
from tests.system.fixtures import NewSystem
from tests.system.forked_commands import forked_commands
from tests.system.known_callers import KnownCallers
from tests.system.rest import COSTS, JSON, SEND, Answer, Rest, sms
from tests.system.running import Replica, System

pytestmark = pytest.mark.timeout(120)

IN_TIME_S = 2.0


@dataclass
class Platform:
    """Everything, in two copies where there may be several."""

    system: System
    replica: Replica
    token: str
    """The operator's."""

    def keys(self, *arguments: str) -> Any:
        """What a command of an operator prints as JSON."""
        environment = {
            "MESSAGING_GRPC_ADDRESS": self.system.messaging_address,
            "TUKUPAY_TOKEN": self.token,
            "TUKUPAY_HOME": "/nonexistent",
        }
        done = forked_commands().run(["keys", *arguments, "--json"], environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def made(self, *options: str, account: str = "shop") -> tuple[str, str]:
        """A new key for sending; its id and the whole of it."""
        made = self.keys("create", "--name", "till", "--account", account, "--scope", "sms:send", *options)
        return made["key"]["keyId"], made["secret"]

    @property
    def gateways(self) -> list[Rest]:
        return [self.system.rest, self.replica.rest]


def send(gateway: Rest, secret: str | None, user: str = "shop") -> Answer:
    credential = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return gateway.request("POST", SEND, json.dumps(sms(user)).encode(), JSON | credential)


@pytest.fixture(scope="module")
def platform(new_system: NewSystem, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    callers = KnownCallers(Path(tmp_path_factory.mktemp("identities")) / "identities.toml")
    callers.add("gateway", "assert:principal", "keys:resolve", "callbacks:write", kind="workload")
    callers.add("messaging", "prices:read", kind="workload")
    callers.add("amina", "*")
    system = new_system(
        MESSAGING_ACCESS="required",
        MESSAGING_IDENTITIES_FILE=str(callers.path),
        MESSAGING_SERVICE_TOKEN=callers.tokens["messaging"],
        PRICING_ACCESS="required",
        PRICING_IDENTITIES_FILE=str(callers.path),
        GATEWAY_ACCESS="required",
        GATEWAY_SERVICE_TOKEN=callers.tokens["gateway"],
        SMPP_SANDBOX="true",
    )
    system.start()
    replica = system.add_replica()
    replica.process.start()
    replica.gateway.start()
    made = Platform(system, replica, callers.tokens["amina"])
    operator = made.keys("create", "--name", "prices", "--all-accounts", "--scope", "prices:write")["secret"]
    cost = {
        "level": "TukuPay",
        "pricePerSms": 0.8,
        "effectiveFrom": "2024-01-01T00:00:00Z",
        "reason": "agreed",
        "createdBy": "tests",
    }
    headers = JSON | {"Authorization": f"Bearer {operator}"}
    assert system.rest.request("POST", COSTS, json.dumps(cost).encode(), headers).status == 201
    return made


def until_refused(gateway: Rest, secret: str) -> float:
    """Seconds until a key is refused that is shown again and again."""
    begun = time.monotonic()
    while (answer := send(gateway, secret)).status == 200:
        assert time.monotonic() < begun + 5 * IN_TIME_S
    assert answer.status == 401, answer.text
    return time.monotonic() - begun


def test_a_key_sends_for_its_account_and_nobody_else_does(platform: Platform) -> None:
    _, secret = platform.made()
    for gateway in platform.gateways:
        assert send(gateway, secret).status == 200
        assert send(gateway, secret, user="other").status == 403
        for wrong in (None, "x", secret[:-1], secret[:-1] + ("0" if secret[-1] != "0" else "1"), secret.lower()):
            assert send(gateway, wrong).status == 401
        assert send(gateway, generate(AccessMode.LIVE).text).status == 401


def test_a_key_that_is_in_use_is_refused_everywhere_soon_after_it_was_revoked(platform: Platform) -> None:
    key_id, secret = platform.made()
    assert [send(gateway, secret).status for gateway in platform.gateways] == [200, 200]
    assert platform.keys("revoke", key_id)["revokedBy"] == "operator:amina"
    assert max(until_refused(gateway, secret) for gateway in platform.gateways) < IN_TIME_S


def test_both_keys_send_while_one_replaces_the_other(platform: Platform) -> None:
    key_id, old = platform.made()
    assert send(platform.gateways[0], old).status == 200
    new = platform.keys("rotate", key_id, "--overlap", "1h")["secret"]
    assert {send(gateway, secret).status for gateway in platform.gateways for secret in (old, new)} == {200}
    last = platform.keys("rotate", new[:16], "--overlap", "0")["secret"]
    assert max(until_refused(gateway, new) for gateway in platform.gateways) < IN_TIME_S
    assert {send(gateway, last).status for gateway in platform.gateways} == {200}


def test_a_test_key_sends_to_the_sandbox_and_costs_nothing(platform: Platform) -> None:
    account = "tester"
    _, secret = platform.made("--mode", "test", "--scope", "sms:read", "--scope", "accounts:read", account=account)
    credential = {"Authorization": f"Bearer {secret}"}
    for gateway in platform.gateways:
        sent = send(gateway, secret, user=account)
        assert (sent.status, sent.entry["status"], sent.entry["mode"], sent.entry["totalCost"]) == (
            200,
            "sent",
            "test",
            0,
        )
        shown = gateway.request("GET", f"/api/sms/outbox/{sent.entry['outboxId']}", b"", credential)
        assert (shown.status, shown.body["mode"]) == (200, "test")
        events = gateway.request("GET", f"/api/sms/outbox/{sent.entry['outboxId']}/events", b"", credential)
        assert {event["mode"] for event in events.body} == {"test"}
    balance = platform.gateways[0].request("GET", f"/api/sms/balance?userId={account}", b"", credential)
    assert (balance.status, balance.body["balance"]) == (200, 0)
    _, live = platform.made(account=account)
    assert "mode" not in send(platform.gateways[0], live, user=account).entry


def test_a_key_is_valid_from_its_networks_only(platform: Platform) -> None:
    _, elsewhere = platform.made("--network", "192.0.2.0/24")
    _, here = platform.made("--network", "127.0.0.0/8")
    assert send(platform.gateways[0], elsewhere).status in {401, 403}
    assert send(platform.gateways[0], here).status == 200


def test_a_key_at_its_limit_is_refused_by_every_gateway_and_told_when_to_try_again(platform: Platform) -> None:
    _, secret = platform.made("--messages-per-minute", "3")
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda number: send(platform.gateways[number % 2], secret), range(24)))
    refused = [answer for answer in answers if answer.status != 200]
    # A minute may end meanwhile, and the next one has its own share.
    minutes = Counter(answer.entry["timestamps"]["createdAt"][:16] for answer in answers if answer.status == 200)
    assert max(minutes.values()) == 3
    assert {(answer.status, answer.reason) for answer in refused} == {(429, "KEY_RATE_LIMIT_REACHED")}
    for answer in refused:
        left = answer.headers["retry-after"]
        assert 1 <= int(left) <= 60
        assert answer.headers["ratelimit-policy"] == '"key-minute";q=3;w=60'
        assert answer.headers["ratelimit"] == f'"key-minute";r=0;t={left}'
