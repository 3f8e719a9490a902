"""What phones of the sandbox write, up to the sink of the carrier that is bound to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox_carriers.smpp import SandboxCarrier, SandboxSettings
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send

PHONE = "+254712345678"


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxCarrier]:
    carrier = SandboxCarrier(SandboxSettings(receipt_delay_s=0.0, receipt_retry_s=0.0).on_free_ports())
    await carrier.start()
    yield carrier
    await carrier.stop()


@pytest.fixture
async def http(sandbox: SandboxCarrier) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sandbox.http_port}", trust_env=False) as client:
        yield client


async def test_a_phone_replies_to_whoever_wrote_to_it_last(
    http: httpx.AsyncClient, bound: Bound, send: Send, inbox: Inbox
) -> None:
    await send(await bound(), PHONE, "Sale today")
    answer = await http.post(f"/phones/{PHONE}/messages", json={"text": "STOP"})
    assert (answer.status_code, answer.json()) == (202, {"phone": PHONE, "to": "TUKUPAY", "text": "STOP"})
    await inbox.wait_for(lambda: bool(inbox.inbound))
    (message,) = inbox.inbound
    assert (message.phone, message.sender_id, message.text, message.is_opt_out) == (PHONE, "TUKUPAY", "STOP", False)


@pytest.mark.parametrize("text", ["Acha! @£€{}", "Ondoa – сто́п 🛑"])
async def test_a_phone_writes_to_any_sender_in_any_alphabet(
    http: httpx.AsyncClient, bound: Bound, inbox: Inbox, text: str
) -> None:
    await bound()
    assert (await http.post(f"/phones/{PHONE}/messages", json={"text": text, "to": "22141"})).status_code == 202
    await inbox.wait_for(lambda: bool(inbox.inbound))
    assert (inbox.inbound[0].sender_id, inbox.inbound[0].text) == ("22141", text)


async def test_a_reply_counts_as_no_receipt(
    sandbox: SandboxCarrier, http: httpx.AsyncClient, bound: Bound, inbox: Inbox
) -> None:
    await bound()
    await http.post(f"/phones/{PHONE}/messages", json={"text": "STOP", "to": "22141"})
    await sandbox.wait_for(lambda: bool(inbox.inbound) and sandbox.stats()["receiptsWaiting"] == 0)
    assert (sandbox.stats()["receiptsSent"], sandbox.stats()["receiptsAcknowledged"]) == (0, 0)


@pytest.mark.parametrize(
    ("number", "body", "word"),
    [
        (PHONE, {"text": "STOP"}, "say in `to`"),
        (PHONE, {"text": "", "to": "22141"}, "empty"),
        (PHONE, {"text": "a" * 161, "to": "22141"}, "longer than one"),
        (PHONE, {"text": "STOP", "to": "22141"}, "no client is bound"),
        ("nobody", {"text": "STOP", "to": "22141"}, "7 to 15 digits"),
        (PHONE, {"message": "STOP"}, "unknown field"),
    ],
)
async def test_what_a_phone_cannot_write_is_said(
    http: httpx.AsyncClient, number: str, body: dict[str, Any], word: str
) -> None:
    answer = await http.post(f"/phones/{number}/messages", json=body)
    assert answer.status_code == 400
    assert word in answer.json()["error"]


async def test_a_form_of_a_foreign_page_makes_no_phone_write(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        f"/phones/{PHONE}/messages", content=b'{"text":"STOP","to":"22141"}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415
