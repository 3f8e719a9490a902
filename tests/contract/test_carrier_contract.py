"""What every carrier holds to: the double of the tests, the one over SMPP, and the one over HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from messaging_service.carriers.africastalking.africastalking_carrier import AfricasTalkingCarrier
from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.carrier import Slot
from messaging_service.carriers.carrier_fleet import RunningCarrier
from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, Submission
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.texts.segmentation import segment
from sandbox_carriers.africastalking import AfricasTalkingSandbox, AfricasTalkingSandboxSettings
from sandbox_carriers.smpp import SandboxCarrier, SandboxSettings
from tests.contract.sms_examples import accepted, refused, unanswered
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.integration.messaging.carriers.smpp.conftest import Inbox

DEADLINE_S = 10.0
WINDOW = 4
FINE = "+254711222333"


@dataclass
class Peer:
    """A carrier, and the hands on what is behind it."""

    carrier: RunningCarrier
    slow: str
    """A phone whose messages are answered late, and taken."""
    refused: str
    lost: str
    """A phone whose messages are never answered as they should be."""
    go_down: Callable[[], Awaitable[None]]
    come_up: Callable[[], Awaitable[None]]
    submits: Callable[[], int]
    """Messages that reached it."""
    reached: Callable[[int], Awaitable[None]]
    """Returns when so many have."""


@asynccontextmanager
async def scripted() -> AsyncIterator[Peer]:
    async def late(_: Submission) -> Outcome:
        await asyncio.sleep(0.1)
        return accepted()

    def answer(submission: Submission) -> Outcome | Awaitable[Outcome]:
        if submission.recipient == "+254700000011":
            return late(submission)
        return {"+254700000001": refused(), "+254700000012": unanswered()}.get(submission.recipient, accepted())

    carrier = ScriptedCarrier(WINDOW, answer)

    async def go_down() -> None:
        carrier.go_down()

    async def come_up() -> None:
        carrier.come_up()

    async def reached(count: int) -> None:
        await carrier.submitted(count)

    yield Peer(
        carrier,
        "+254700000011",
        "+254700000001",
        "+254700000012",
        go_down,
        come_up,
        lambda: len(carrier.submissions),
        reached,
    )


@asynccontextmanager
async def smpp() -> AsyncIterator[Peer]:
    settings = replace(SandboxSettings().on_free_ports(), receipt_delay_s=0.01, slow_answer_s=0.1)
    sandbox = SandboxCarrier(settings, with_pages=False)
    await sandbox.start()
    link = SmppSettings(
        "127.0.0.1",
        sandbox.smpp_port,
        "tukupay",
        "secret",
        window=WINDOW,
        response_timeout_s=DEADLINE_S,
        reconnect_min_s=0.01,
        reconnect_max_s=0.05,
    )
    carrier = SmppCarrier(link, Inbox().sinks, "smpp")

    async def go_down() -> None:
        sandbox.refuses_binds = True
        sandbox.cut_links()

    async def come_up() -> None:
        sandbox.refuses_binds = False

    async def reached(count: int) -> None:
        await sandbox.wait_for(lambda: sandbox.stats()["submits"] >= count)

    yield Peer(
        carrier,
        "+254700000011",
        "+254700000001",
        "+254700000012",
        go_down,
        come_up,
        lambda: sandbox.stats()["submits"],
        reached,
    )
    await carrier.stop(0.05)
    await sandbox.stop()


@asynccontextmanager
async def africastalking() -> AsyncIterator[Peer]:
    settings = replace(AfricasTalkingSandboxSettings().on_free_port(), slow_answer_s=0.1)
    sandbox = AfricasTalkingSandbox(settings)
    await sandbox.start()
    account = AfricasTalkingSettings(
        "sandbox",
        "sandbox-key",
        base_url=sandbox.url,
        window=WINDOW,
        response_timeout_s=DEADLINE_S,
        balance_poll_s=0.05,
        reconnect_min_s=0.01,
        reconnect_max_s=0.05,
    )
    carrier = AfricasTalkingCarrier(account, Inbox().sinks, "africastalking")

    async def go_down() -> None:
        sandbox.api_key = "another"

    async def come_up() -> None:
        sandbox.api_key = "sandbox-key"

    async def reached(count: int) -> None:
        await sandbox.wait_for(lambda: sandbox.account.counts.requests >= count)

    yield Peer(
        carrier,
        "+254700000126",
        "+254700000105",
        "+254700000123",
        go_down,
        come_up,
        lambda: sandbox.account.counts.requests,
        reached,
    )
    await carrier.stop(0.05)
    await sandbox.stop()


@pytest.fixture(params=[scripted, smpp, africastalking], ids=lambda make: make.__name__)
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    """A carrier that is up."""
    async with AsyncExitStack() as stack:
        made: Peer = await stack.enter_async_context(request.param())
        await made.carrier.start()
        assert await made.carrier.wait_until_up(DEADLINE_S)
        yield made


def submission(recipient: str = FINE) -> Submission:
    return Submission("outbox_1", "TUKUPAY", recipient, segment("Hello"), epoch=1)


async def reserve(carrier: RunningCarrier) -> Slot:
    freed = asyncio.Event()
    carrier.on_slot_free(freed.set)
    async with asyncio.timeout(DEADLINE_S):
        while (slot := carrier.try_reserve()) is None:
            freed.clear()
            await freed.wait()
    return slot


async def down(carrier: RunningCarrier) -> None:
    """Returns when the carrier has noticed."""
    async with asyncio.timeout(DEADLINE_S):
        while carrier.is_up:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.005)


async def test_as_many_slots_are_given_out_as_the_window_has(peer: Peer) -> None:
    carrier = peer.carrier
    assert carrier.free_slots == WINDOW
    slots = [carrier.try_reserve() for _ in range(WINDOW)]
    assert None not in slots
    assert (carrier.free_slots, carrier.try_reserve()) == (0, None)


async def test_a_slot_is_given_back_once_however_often_it_is_released(peer: Peer) -> None:
    carrier = peer.carrier
    first, second = await reserve(carrier), await reserve(carrier)
    first.release()
    first.release()
    assert carrier.free_slots == WINDOW - 1
    second.release()
    assert carrier.free_slots == WINDOW


async def test_a_submit_uses_its_slot_up_and_gives_its_place_back(peer: Peer) -> None:
    slot = await reserve(peer.carrier)
    outcome = await peer.carrier.submit(slot, submission())
    slot.release()
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert outcome.carrier == peer.carrier.name
    assert len(outcome.carrier_message_ids) == 1
    assert peer.carrier.free_slots == WINDOW
    with pytest.raises(ValueError, match="slot"):
        await peer.carrier.submit(slot, submission())
    assert peer.submits() == 1


async def test_a_released_slot_and_a_foreign_one_submit_nothing(peer: Peer) -> None:
    released = await reserve(peer.carrier)
    released.release()
    foreign = ScriptedCarrier().try_reserve()
    assert foreign is not None
    for slot in (released, foreign):
        with pytest.raises(ValueError, match="slot"):
            await peer.carrier.submit(slot, submission())
    assert peer.submits() == 0


async def test_what_the_carrier_does_is_an_outcome_and_never_an_error(peer: Peer) -> None:
    for recipient, kind in ((peer.refused, OutcomeKind.REFUSED), (peer.lost, OutcomeKind.UNKNOWN)):
        outcome = await peer.carrier.submit(await reserve(peer.carrier), submission(recipient))
        assert (outcome.kind, outcome.carrier) == (kind, peer.carrier.name)
        assert outcome.error_code
        assert "Hello" not in outcome.raw


async def test_who_waits_for_a_place_is_told_when_one_is_free(peer: Peer) -> None:
    slots = [await reserve(peer.carrier) for _ in range(WINDOW)]
    told = asyncio.Event()
    peer.carrier.on_slot_free(told.set)
    slots[0].release()
    await asyncio.wait_for(told.wait(), DEADLINE_S)
    told.clear()
    await peer.carrier.submit(slots[1], submission())
    await asyncio.wait_for(told.wait(), DEADLINE_S)


async def test_a_carrier_that_is_down_gives_no_slots_and_is_waited_for(peer: Peer) -> None:
    carrier = peer.carrier
    told = asyncio.Event()
    await peer.go_down()
    await down(carrier)
    carrier.on_slot_free(told.set)
    assert (carrier.free_slots, carrier.try_reserve()) == (0, None)
    assert not await carrier.wait_until_up(0.01)
    assert not carrier.status().is_up
    waiting = asyncio.create_task(carrier.wait_until_up(DEADLINE_S))
    told.clear()
    await peer.come_up()
    assert await waiting
    await asyncio.wait_for(told.wait(), DEADLINE_S)
    outcome = await carrier.submit(await reserve(carrier), submission())
    assert outcome.kind is OutcomeKind.ACCEPTED


async def test_the_status_tells_what_is_in_use(peer: Peer) -> None:
    before = peer.carrier.status()
    assert (before.name, before.is_up, before.window, before.in_use) == (peer.carrier.name, True, WINDOW, 0)
    submitting = asyncio.create_task(peer.carrier.submit(await reserve(peer.carrier), submission(peer.slow)))
    await peer.reached(1)
    assert peer.carrier.status().in_use == 1
    assert (await submitting).kind is OutcomeKind.ACCEPTED
    assert peer.carrier.status().in_use == 0


async def test_stopping_lets_submits_end_and_gives_out_no_more_slots(peer: Peer) -> None:
    submitting = asyncio.create_task(peer.carrier.submit(await reserve(peer.carrier), submission(peer.slow)))
    await peer.reached(1)
    await peer.carrier.stop(DEADLINE_S)
    assert (await submitting).kind is OutcomeKind.ACCEPTED


async def test_a_carrier_can_be_started_again(peer: Peer) -> None:
    await peer.carrier.stop(DEADLINE_S)
    await peer.carrier.start()
    assert await peer.carrier.wait_until_up(DEADLINE_S)
    outcome = await peer.carrier.submit(await reserve(peer.carrier), submission())
    assert outcome.kind is OutcomeKind.ACCEPTED
