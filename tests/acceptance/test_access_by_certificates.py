"""Services and operators are known by their certificates alone, and an app sends with a key over HTTPS."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.local_system import READY, LocalSystem, free_addresses

pytestmark = pytest.mark.timeout(240)

IDENTITIES = Path(__file__).parents[2] / "docs" / "examples" / "identities.toml"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    folder = tmp_path_factory.mktemp("guarded")
    access = {
        "PRICING_ACCESS": "required",
        "PRICING_IDENTITIES_FILE": str(IDENTITIES),
        "MESSAGING_ACCESS": "required",
        "MESSAGING_IDENTITIES_FILE": str(IDENTITIES),
        "GATEWAY_ACCESS": "required",
    }
    made = LocalSystem(folder / "home", {**free_addresses(), **access})
    try:
        made.start(arguments=("--tls",))
        made.wait_for(READY)
        yield made
    finally:
        made.clean_up()


def key_of(system: LocalSystem, account: str) -> str:
    """A new key, made by the operator, whose certificate the commands show."""
    options = ("--name", "till", "--account", account, "--scope", "sms:send", "--json")
    done = system.run("keys", "create", *options)
    assert done.returncode == 0, done.stderr
    secret: str = json.loads(done.stdout)["secret"]
    return secret


def send(system: LocalSystem, user: str, key: str | None) -> httpx.Response:
    context = ssl.create_default_context(cafile=system.home / "tls" / "ca.crt")
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body: dict[str, Any] = {
        "userId": user,
        "recipientPhoneNumber": "+254712345678",
        "message": "By certificate and key",
        "senderId": "TUKUPAY",
    }
    url = f"https://{system.addresses['GATEWAY_HTTP_ADDRESS']}/api/sms/send"
    with httpx.Client(verify=context, trust_env=False, timeout=20) as client:
        return client.post(url, json=body, headers=headers)


def test_an_app_sends_with_its_key_over_https(guarded: LocalSystem) -> None:
    answer = send(guarded, "user123", key_of(guarded, "user123"))
    assert (answer.status_code, answer.json()["status"]) == (200, "success")


def test_nobody_sends_without_a_key_or_for_others(guarded: LocalSystem) -> None:
    assert send(guarded, "user123", None).status_code == 401
    assert send(guarded, "user123", key_of(guarded, "cust123")).status_code == 403


def test_commands_are_known_by_the_certificate_of_the_operator(guarded: LocalSystem) -> None:
    for arguments in (("status",), ("accounts", "list"), ("costs", "current", "TukuPay")):
        done = guarded.run(*arguments)
        assert done.returncode == 0, done.stderr


def test_no_secret_is_in_the_logs(guarded: LocalSystem) -> None:
    key = key_of(guarded, "user123")
    send(guarded, "user123", key)
    logs = "".join(log.read_text() for log in Path(guarded.home / "logs").glob("*.log"))
    assert key not in logs
    assert "PRIVATE KEY" not in logs
