"""What the sandbox shows over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from sandbox_carriers.smpp import SandboxCarrier, SandboxSettings
from tests.integration.messaging.carriers.smpp.conftest import Bound, Send

PHONE = "+254712345678"
REFUSING = "+254700000001"


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxCarrier]:
    carrier = SandboxCarrier(SandboxSettings(receipt_delay_s=0.0).on_free_ports())
    await carrier.start()
    yield carrier
    await carrier.stop()


@pytest.fixture
async def http(sandbox: SandboxCarrier) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sandbox.http_port}", trust_env=False) as client:
        yield client


@pytest.fixture
async def carrier(bound: Bound) -> SmppCarrier:
    return await bound()


async def test_a_phone_lists_what_it_received(
    sandbox: SandboxCarrier, http: httpx.AsyncClient, carrier: SmppCarrier, send: Send
) -> None:
    outcome = await send(carrier, PHONE, "Hello €")
    await sandbox.wait_for(lambda: sandbox.stats()["receiptsAcknowledged"] == 1)
    answer = (await http.get(f"/phones/{PHONE}")).json()
    assert answer["number"] == PHONE
    (message,) = answer["messages"]
    assert message.pop("receivedAt").endswith("Z")
    assert message == {
        "recipient": PHONE,
        "sender": "TUKUPAY",
        "text": "Hello €",
        "encoding": "gsm7",
        "parts": 1,
        "partsReceived": 1,
        "state": "accepted",
        "status": "ESME_ROK (0x00000000)",
        "onPhone": True,
        "messageIds": list(outcome.carrier_message_ids),
        "receipt": "DELIVRD",
        "receiptsSent": 1,
        "receiptsAcknowledged": 1,
        "behaviour": "normal",
        "systemId": "tukupay",
    }


async def test_phones_are_listed_with_the_last_one_first(
    http: httpx.AsyncClient, carrier: SmppCarrier, send: Send
) -> None:
    for recipient in (PHONE, REFUSING, PHONE):
        await send(carrier, recipient)
    phones = (await http.get("/phones")).json()["phones"]
    assert [(phone["number"], phone["messages"]) for phone in phones] == [(PHONE, 2), (REFUSING, 1)]
    assert (await http.get("/phones/254799999999")).json() == {"number": "+254799999999", "messages": []}


async def test_a_refused_message_is_shown_as_refused_and_not_on_the_phone(
    http: httpx.AsyncClient, carrier: SmppCarrier, send: Send
) -> None:
    await send(carrier, REFUSING)
    (message,) = (await http.get("/messages")).json()["messages"]
    assert (message["state"], message["status"], message["onPhone"]) == (
        "refused",
        "ESME_RINVDSTADR (0x0000000B)",
        False,
    )
    assert "ESME_RINVDSTADR" in (await http.get("/")).text


async def test_messages_are_newest_first_and_limited(http: httpx.AsyncClient, carrier: SmppCarrier, send: Send) -> None:
    for n in range(3):
        await send(carrier, PHONE, f"message {n}")
    messages = (await http.get("/messages", params={"limit": 2})).json()["messages"]
    assert [message["text"] for message in messages] == ["message 2", "message 1"]


@pytest.mark.parametrize("limit", ["0", "-1", "x", "10001", "", "²", "9" * 5_000])
async def test_a_wrong_limit_is_a_clear_error(http: httpx.AsyncClient, limit: str) -> None:
    answer = await http.get("/messages", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json() == {"error": "limit is not a whole number from 1 to 10000"}


async def test_repeats_are_counted_apart_from_unique_messages(
    http: httpx.AsyncClient, carrier: SmppCarrier, send: Send
) -> None:
    long = "a" * 300
    for text in ("one", "two", "one", long, long):
        await send(carrier, PHONE, text)
    stats = (await http.get("/stats")).json()
    assert (stats["unique"], stats["repeated"]) == (3, 2)
    assert (stats["submits"], stats["accepted"], stats["refusals"]) == (7, 7, 0)
    assert (stats["binds"], stats["outstanding"]) == (1, 0)


async def test_clearing_forgets_messages_and_counts(http: httpx.AsyncClient, carrier: SmppCarrier, send: Send) -> None:
    await send(carrier, PHONE)
    assert (await http.delete("/messages")).status_code == 204
    assert (await http.get("/messages")).json() == {"messages": []}
    assert (await http.get("/stats")).json()["accepted"] == 0


async def test_a_text_can_do_nothing_to_the_page(http: httpx.AsyncClient, carrier: SmppCarrier, send: Send) -> None:
    await send(carrier, PHONE, "<script>alert(1)</script>", sender_id="<b>&'")
    page = await http.get("/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert page.text.count("<script") == 1  # its own
    assert "from &lt;b&gt;&amp;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_the_page_asks_for_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert "http://" not in page
    assert "https://" not in page
    assert "src=" not in page


async def test_a_foreign_host_name_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/phones", headers={"Host": "evil.example"})).status_code == 400


async def test_the_page_fits_a_phone_and_renews_itself_without_moving(
    http: httpx.AsyncClient, carrier: SmppCarrier, send: Send
) -> None:
    """It is not loaded anew, which folds what is open; its only script is the one that its policy names."""
    await send(carrier, PHONE, "<script>alert(1)</script>")
    answer = await http.get("/")
    page = answer.text
    assert 'http-equiv="refresh"' not in page
    assert 'name="viewport"' in page
    assert page.count("<main>") == page.count("</main>") == 1
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "connect-src 'self'" in policy
    for name in ("counts", "phones"):
        assert page.count(f'id="{name}"') == 1
        assert f'"{name}"' in script
    assert "receipts acknowledged" in page
    assert "1 of 1 phones" in page
