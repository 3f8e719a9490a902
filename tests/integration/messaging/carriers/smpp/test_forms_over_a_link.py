"""Every form of a message arrives whole, at the rate and with the receipts that were asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from messaging_service.carriers.domain.submission import OutcomeKind, canonical_carrier_id
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import IdSpelling, LongText, SmppSettings, TextForm
from messaging_service.texts.segmentation import segment
from sandbox_carriers.smpp import SandboxCarrier
from tests.integration.messaging.carriers.smpp.conftest import Bound, Inbox, Send

PHONE = "+254712345678"


@pytest.mark.parametrize("long_text", list(LongText))
@pytest.mark.parametrize("text_form", list(TextForm))
@pytest.mark.parametrize("text", ["Habari [mteja] £ " * 30, "Здравствуйте 😀 " * 20, "Bei: 5 € " * 30])
async def test_a_long_text_is_whole_on_the_phone(
    sandbox: SandboxCarrier,
    bound: Bound,
    send: Send,
    inbox: Inbox,
    *,
    long_text: LongText,
    text_form: TextForm,
    text: str,
) -> None:
    carrier = await bound(long_text=long_text, text_form=text_form)
    outcome = await send(carrier, PHONE, text)
    units = segment(text).units
    parts = 1 if long_text is LongText.PAYLOAD else units
    assert outcome.kind is OutcomeKind.ACCEPTED
    # One id for a text that the carrier cuts stands for all of its parts, as does its receipt.
    assert (len(outcome.carrier_message_ids), len(set(outcome.carrier_message_ids))) == (units, parts)
    assert {receipt.speaks_for_all_parts for receipt in inbox.receipts} <= {long_text is LongText.PAYLOAD}
    (message,) = sandbox.messages
    assert message.text == text
    await inbox.wait_for(lambda: len(inbox.receipts) == parts)
    assert {receipt.carrier_message_id for receipt in inbox.receipts} == set(outcome.carrier_message_ids)


async def test_ids_that_come_back_in_the_other_base_meet(bound: Bound, send: Send, inbox: Inbox) -> None:
    """The sandbox writes hexadecimal in both places, so what its receipts say is told to be decimal's twin."""
    carrier = await bound(submit_ids=IdSpelling.DECIMAL, receipt_ids=IdSpelling.HEX)
    outcome = await send(carrier, PHONE)
    await inbox.wait_for(lambda: len(inbox.receipts) == 1)
    (submitted,) = outcome.carrier_message_ids
    assert canonical_carrier_id(inbox.receipts[0].carrier_message_id) == str(int(submitted, 16))


async def test_submits_are_spread_over_time_and_never_faster_than_the_rate(
    sandbox: SandboxCarrier, bound: Bound, send: Send
) -> None:
    carrier = await bound(window=100, max_submits_per_s=100.0)
    await asyncio.gather(*(send(carrier, PHONE, f"message {n}") for n in range(30)))
    await send(carrier, PHONE, "a" * 153 * 5)
    arrivals = sorted(message.received_at_s for message in sandbox.messages)
    assert sandbox.stats()["submits"] == 35
    # Two may go at once, as that is what 20 ms allow; the five parts of the last one count five times.
    assert arrivals[-1] - arrivals[0] >= (31 - 2) / 100 - 0.005
    gaps = [later - earlier for earlier, later in zip(arrivals, arrivals[5:], strict=False)]
    assert min(gaps) >= (5 - 2) / 100 - 0.005


async def test_a_rate_that_is_used_up_gives_no_slot_until_the_next_token(bound: Bound, send: Send) -> None:
    carrier = await bound(max_submits_per_s=20.0)
    slot = carrier.try_reserve()
    assert slot is not None
    assert carrier.free_slots == 0
    assert carrier.status().remark == "submits wait for the rate limit of 20 a second"
    slot.release()
    assert carrier.free_slots == 1
    assert (await send(carrier, PHONE)).kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize(
    ("password", "pause"),
    [("wrong", "long"), ("right", "short")],
)
async def test_a_refused_password_is_not_tried_again_soon(
    sandbox: SandboxCarrier, inbox: Inbox, password: str, pause: str
) -> None:
    sandbox.refuses_binds = True
    chosen: dict[str, Any] = {"reconnect_min_s": 0.01, "reconnect_max_s": 0.01, "credentials_retry_s": 3_600}
    carrier = SmppCarrier(SmppSettings("127.0.0.1", sandbox.smpp_port, "tukupay", password, **chosen), inbox.sinks)
    await carrier.start()
    if pause == "short":
        await sandbox.wait_for(lambda: sandbox.binds_total >= 3)
    else:
        with pytest.raises(TimeoutError):
            await sandbox.wait_for(lambda: sandbox.binds_total >= 2, 0.3)
    assert not carrier.is_up
    await carrier.stop(0.1)
