"""The sandbox as a process of its own, as the guide starts it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from messaging_service.carriers.domain.submission import OutcomeKind
from sandbox_carriers.africastalking.api_behaviours import BEHAVIOURS
from tests.integration.messaging.carriers.africastalking.conftest import DEADLINE_S, PHONE, Carriers, Send

MODULE = "sandbox_carriers.africastalking"
GUIDE = Path(__file__).parents[5] / "docs" / "guides" / "africas-talking.md"


async def start(**settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@dataclass
class Running:
    """A sandbox process, where it is, and its log of messages."""

    process: asyncio.subprocess.Process
    url: str
    log: Path


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Running]:
    log = tmp_path / "carrier.jsonl"
    process = await start(
        AT_SANDBOX_HTTP_ADDRESS="127.0.0.1:0",
        AT_SANDBOX_LOG=str(log),
        AT_SANDBOX_CALLBACK_URL="http://127.0.0.1:9/carriers/africastalking/s3cret-s3cret-s3cret",
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        lines = [await process.stdout.readline(), await process.stdout.readline()]
    assert b"s3cret" not in b"".join(lines)
    started = json.loads(lines[1])
    assert started["event"] == "at_sandbox.listening"
    yield Running(process, f"http://127.0.0.1:{started['port']}", log)
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_it_takes_messages_and_stops_when_it_is_told(process: Running, at: Carriers, send: Send) -> None:
    carrier = await at(process.url)
    assert carrier.status().balance == Decimal("1785.50")
    assert (await send(carrier, text="Karibu")).kind is OutcomeKind.ACCEPTED
    async with httpx.AsyncClient(base_url=process.url) as http:
        (shown,) = (await http.get("/messages")).json()["messages"]
        assert (shown["to"], shown["text"], shown["cost"]) == (PHONE, "Karibu", "KES 0.8000")
        assert (await http.get("/stats")).json()["balance"] == "KES 1784.7000"
        assert (await http.get("/stats", headers={"Host": "evil.example"})).status_code == 403
        assert (await http.get("/nowhere")).status_code == 404
        assert (await http.delete("/messages")).status_code == 204
        assert (await http.get("/stats")).json()["taken"] == 0
    process.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.process.wait(), DEADLINE_S) == 0
    (entry,) = map(json.loads, process.log.read_text().splitlines())
    assert entry["text"] == "Karibu"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AT_SANDBOX_HTTP_ADDRESS", "0.0.0.0:8091"),
        ("AT_SANDBOX_CALLBACK_URL", "http://example.com/x"),
        ("AT_SANDBOX_FAULT", "nonsense"),
        ("AT_SANDBOX_BALANCE_KES", "-1"),
        ("AT_SANDBOX_PRICE_KES", "many"),
    ],
)
async def test_a_setting_that_cannot_work_stops_it_by_name(variable: str, value: str) -> None:
    process = await start(**{variable: value})
    _, stderr = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 2
    assert variable in stderr.decode()


def test_the_guide_lists_every_behaviour() -> None:
    guide = GUIDE.read_text()
    for behaviour in BEHAVIOURS:
        assert f"| `+{behaviour.number}` | `{behaviour.name}` | {behaviour.effect} |" in guide
