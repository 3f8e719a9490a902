"""The whole system in containers: 1,000 messages, no secret in a log, and each service ends in time."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.image.container_tools import ContainerTools
from tests.image.shown import show
from tests.image.system_in_containers import DRAIN_S, SERVICES, Containers, containers

MESSAGES = 1_000
AT_ONCE = 50


@pytest.fixture(scope="module")
def system(
    image: dict[str, Any], tools: ContainerTools, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containers]:
    """Running, as deploy/compose/README.md sets it up."""
    with containers(tools, tmp_path_factory.mktemp("containers")) as made:
        made.make_databases()
        for service in ("pricing", "messaging"):
            for _ in range(2):
                printed = made.migrate(service)
                assert printed.startswith(f"{service}: its database is up to date\n{service}: the role sms may run")
        made.start_sandbox()
        for name in SERVICES:
            made.start(name)
        yield made


async def _send_all(url: str, key: str) -> Counter[tuple[int, str]]:
    """Sends all messages; how many answers there were of each status."""
    numbers = iter(range(MESSAGES))
    answers: Counter[tuple[int, str]] = Counter()
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60
    ) as client:

        async def send() -> None:
            for number in numbers:
                body = {
                    "userId": "shop",
                    "recipientPhoneNumber": f"+2547122{number:05}",
                    "message": f"Order {number} is ready.",
                    "senderId": "TUKUPAY",
                    "messageId": f"order-{number}",
                }
                answer = await client.post("/api/sms/send", json=body)
                answers[answer.status_code, answer.json().get("status", answer.text)] += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(send())
    return answers


def test_1_its_health_checks_say_yes(system: Containers) -> None:
    assert {name: system.health_check(name) for name in SERVICES} == dict.fromkeys(SERVICES, 0)


def test_2_it_sends_a_thousand_messages(system: Containers) -> None:
    system.command("costs", "set", "TukuPay", "1.0", "--reason", "the first price")
    made = system.command(
        "keys", "create", "--name", "shop server", "--account", "shop", "--scope", "sms:send", "--scope", "sms:read"
    )
    begin = time.monotonic()
    answers = asyncio.run(_send_all(system.gateway, made.split()[0]))
    seconds = time.monotonic() - begin
    show(f"{MESSAGES} sends in {seconds:.1f} s: {dict(answers)}")
    assert sum(answers.values()) == MESSAGES
    assert {status for status, _ in answers} == {200}
    assert system.accepted()["accepted"] == MESSAGES
    assert json.loads(system.command("accounts", "verify", "--json"))["accounts"] == 1


def test_3_each_ends_within_its_drain(system: Containers) -> None:
    ends = {name: system.end(name) for name in reversed(SERVICES)}
    show(f"SIGTERM: {', '.join(f'{name} {seconds:.1f} s' for name, (_, seconds) in ends.items())}")
    assert {name: code for name, (code, _) in ends.items()} == dict.fromkeys(SERVICES, 0)
    assert all(seconds < DRAIN_S for _, seconds in ends.values())


def test_4_no_secret_and_no_text_is_in_a_log(system: Containers) -> None:
    said = "".join(system.log(name) for name in SERVICES)
    assert said.count("service.stopped") == len(SERVICES)
    secrets = [file.read_text().strip() for file in system.secrets.iterdir() if file.name != "smpp_password"]
    assert not [each for each in (*secrets, "is ready.") if each in said]
    assert not re.search(r"\+2547122\d{5}", said)
