"""The sandbox and a carrier at it, both in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Protocol

import pytest

from messaging_service.carriers.africastalking.africastalking_carrier import AfricasTalkingCarrier
from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.carrier import Slot
from messaging_service.carriers.domain.submission import Outcome, Submission
from messaging_service.texts.segmentation import segment
from sandbox_carriers.africastalking import AfricasTalkingSandbox, AfricasTalkingSandboxSettings
from sandbox_carriers.africastalking.api_behaviours import BEHAVIOURS
from tests.integration.messaging.carriers.smpp.conftest import Inbox

DEADLINE_S = 10.0
PHONE = "+254711222333"
NUMBER_OF = {behaviour.name: f"+{behaviour.number}" for behaviour in BEHAVIOURS}


class Carriers(Protocol):
    """Makes carriers at the sandbox that are up, and stops them after the test."""

    async def __call__(
        self, url: str | None = None, /, *, wait: bool = True, **changes: Any
    ) -> AfricasTalkingCarrier: ...


class Send(Protocol):
    """Sends one message as soon as the carrier has a place for it."""

    async def __call__(
        self, carrier: AfricasTalkingCarrier, recipient: str = PHONE, text: str = "Hello", sender_id: str = "TUKUPAY"
    ) -> Outcome: ...


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def sandbox_settings() -> AfricasTalkingSandboxSettings:
    return replace(
        AfricasTalkingSandboxSettings().on_free_port(), report_delay_s=0.01, report_retry_s=0.01, slow_answer_s=0.3
    )


@pytest.fixture
async def sandbox(sandbox_settings: AfricasTalkingSandboxSettings) -> AsyncIterator[AfricasTalkingSandbox]:
    sandbox = AfricasTalkingSandbox(sandbox_settings)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def at(sandbox: AfricasTalkingSandbox, inbox: Inbox) -> AsyncIterator[Carriers]:
    carriers: list[AfricasTalkingCarrier] = []

    async def make(url: str | None = None, /, *, wait: bool = True, **changes: Any) -> AfricasTalkingCarrier:
        settings = AfricasTalkingSettings(
            "sandbox",
            "sandbox-key",
            base_url=url or sandbox.url,
            response_timeout_s=DEADLINE_S,
            reconnect_min_s=0.01,
            reconnect_max_s=0.05,
        )
        carrier = AfricasTalkingCarrier(replace(settings, **changes), inbox.sinks, name="at")
        carriers.append(carrier)
        await carrier.start()
        if wait:
            assert await carrier.wait_until_up(DEADLINE_S)
        return carrier

    yield make
    for carrier in carriers:
        await carrier.stop(timeout_s=0.05)


async def reserve(carrier: AfricasTalkingCarrier) -> Slot:
    freed = asyncio.Event()
    carrier.on_slot_free(freed.set)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            slot = carrier.try_reserve()
            if slot is not None:
                return slot
            freed.clear()
            await freed.wait()


def submission(recipient: str = PHONE, text: str = "Hello", sender_id: str = "TUKUPAY") -> Submission:
    return Submission("outbox_1", sender_id, recipient, segment(text), epoch=7)


@pytest.fixture
def send() -> Send:
    async def send_one(
        carrier: AfricasTalkingCarrier, recipient: str = PHONE, text: str = "Hello", sender_id: str = "TUKUPAY"
    ) -> Outcome:
        slot = await reserve(carrier)
        async with asyncio.timeout(DEADLINE_S):
            return await carrier.submit(slot, submission(recipient, text, sender_id))

    return send_one
