"""What becomes of messages, by every answer that the carrier can give and by every way of giving none."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import ExitStack
from decimal import Decimal

import httpx
import pytest

from messaging_service.carriers.africastalking.africastalking_carrier import AfricasTalkingCarrier
from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.africastalking.client import AfricasTalkingClient, Handover
from messaging_service.carriers.domain.submission import OutcomeKind
from sandbox_carriers.africastalking import AfricasTalkingSandbox
from sandbox_carriers.africastalking.api_behaviours import BEHAVIOURS
from tests.integration.messaging.carriers.africastalking.conftest import (
    DEADLINE_S,
    NUMBER_OF,
    PHONE,
    Carriers,
    Send,
    reserve,
    submission,
)
from tests.integration.messaging.carriers.smpp.conftest import Inbox

ACCEPTED, REFUSED = OutcomeKind.ACCEPTED, OutcomeKind.REFUSED
NOT_TAKEN, UNKNOWN = OutcomeKind.NOT_TAKEN, OutcomeKind.UNKNOWN

OUTCOMES = {
    "processed": (ACCEPTED, None),
    "queued": (ACCEPTED, None),
    "risk-hold": (UNKNOWN, "CARRIER_ON_HOLD"),
    "bad-sender": (REFUSED, "INVALID_SENDER"),
    "bad-number": (REFUSED, "INVALID_RECIPIENT"),
    "landline": (REFUSED, "UNSUPPORTED_NUMBER"),
    "no-money": (NOT_TAKEN, "CARRIER_OUT_OF_FUNDS"),
    "opted-out": (REFUSED, "OPTED_OUT_AT_CARRIER"),
    "no-route": (NOT_TAKEN, "NO_ROUTE"),
    "do-not-disturb": (REFUSED, "DO_NOT_DISTURB"),
    "server-error": (UNKNOWN, "CARRIER_UNCLEAR"),
    "gateway-error": (UNKNOWN, "CARRIER_UNCLEAR"),
    "rejected": (NOT_TAKEN, "REJECTED_BY_CARRIER"),
    "odd-code": (UNKNOWN, "CARRIER_UNCLEAR"),
    "no-recipients": (REFUSED, "INVALID_SENDER"),
    "throttle": (NOT_TAKEN, "CARRIER_THROTTLED"),
    "http-500": (UNKNOWN, "CARRIER_UNCLEAR"),
    "http-502": (UNKNOWN, "CARRIER_UNCLEAR"),
    "garbage": (UNKNOWN, "CARRIER_UNCLEAR"),
    "huge": (UNKNOWN, "CARRIER_UNCLEAR"),
    "wrong-number": (UNKNOWN, "CARRIER_UNCLEAR"),
    "drop-before": (UNKNOWN, "CARRIER_NO_ANSWER"),
    "drop-after": (UNKNOWN, "CARRIER_NO_ANSWER"),
    "half": (UNKNOWN, "CARRIER_NO_ANSWER"),
    "silent": (UNKNOWN, "CARRIER_NO_ANSWER"),
    "slow": (ACCEPTED, None),
    "drip": (UNKNOWN, "CARRIER_NO_ANSWER"),
    "failed": (ACCEPTED, None),
    "expired": (ACCEPTED, None),
    "rejected-late": (ACCEPTED, None),
    "absent": (ACCEPTED, None),
    "no-report": (ACCEPTED, None),
    "twice": (ACCEPTED, None),
    "early-report": (ACCEPTED, None),
    "odd-report": (ACCEPTED, None),
    "buffered": (ACCEPTED, None),
    "opted-out-late": (ACCEPTED, None),
    "bad-number-late": (ACCEPTED, None),
    "filtered": (NOT_TAKEN, "REJECTED_BY_CARRIER"),
}


async def test_a_message_is_taken_with_its_id_cost_and_parts(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    outcome = await send(await at(), text="Karibu €")
    (sms,) = sandbox.account.messages
    assert outcome.kind is ACCEPTED
    assert outcome.carrier_message_ids == (sms.id,)
    assert (outcome.carrier_cost, outcome.carrier_parts) == (Decimal("0.8000"), 1)
    assert (sms.to, sms.sender, sms.text) == (PHONE, "TUKUPAY", "Karibu €")
    assert "Karibu" not in outcome.raw


async def test_a_long_text_is_one_request_and_its_id_stands_for_each_part(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    text = "ж" * 66 + "😀" + "ж" * 66
    outcome = await send(await at(), text=text)
    (sms,) = sandbox.account.messages
    assert sms.text == text
    assert outcome.carrier_message_ids == (sms.id,) * 3
    assert (outcome.carrier_parts, outcome.carrier_cost) == (3, Decimal("2.4000"))


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
async def test_each_behaviour_of_the_carrier_has_its_outcome(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send, behaviour: object
) -> None:
    name = behaviour.name  # type: ignore[attr-defined]
    hangs = name in ("silent", "drip")
    carrier = await at(response_timeout_s=0.2 if hangs else 10.0, connect_timeout_s=0.1, late_answer_s=0)
    outcome = await send(carrier, NUMBER_OF[name], text="Your OTP is 918273")
    assert (outcome.kind, outcome.error_code) == OUTCOMES[name]
    assert outcome.only_elsewhere is (name in ("no-route", "rejected", "filtered"))
    assert "918273" not in outcome.raw
    counts = sandbox.account.counts
    assert counts.requests == 1
    if outcome.kind in (REFUSED, NOT_TAKEN):
        assert counts.taken == 0, "proven not taken, and taken all the same"
    if outcome.kind is ACCEPTED:
        assert counts.taken == 1


def test_every_behaviour_is_tested() -> None:
    assert set(OUTCOMES) == {behaviour.name for behaviour in BEHAVIOURS}


async def test_the_words_of_a_text_ask_for_a_behaviour_too(at: Carriers, send: Send) -> None:
    assert (await send(await at(), text="Hi [sandbox:bad-number]")).error_code == "INVALID_RECIPIENT"


async def test_an_account_that_is_used_up_takes_nothing(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at()
    sandbox.account.balance = Decimal("0.79")
    outcome = await send(carrier)
    assert (outcome.kind, outcome.error_code) == (NOT_TAKEN, "CARRIER_OUT_OF_FUNDS")
    assert not outcome.only_elsewhere
    assert sandbox.account.counts.taken == 0


async def test_many_messages_side_by_side_go_over_as_many_connections_as_the_window(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(window=5)
    outcomes = await asyncio.gather(*(send(carrier, text=f"message {number}") for number in range(200)))
    assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
    assert len({outcome.carrier_message_ids for outcome in outcomes}) == 200
    assert (sandbox.account.counts.unique, sandbox.account.counts.repeated) == (200, 0)
    assert sandbox.links_total <= 6


async def test_a_carrier_out_of_reach_proves_that_nothing_was_taken(
    sandbox: AfricasTalkingSandbox, at: Carriers
) -> None:
    carrier = await at()
    slot = await reserve(carrier)
    await sandbox.stop()
    outcome = await carrier.submit(slot, submission())
    assert (outcome.kind, outcome.error_code) == (NOT_TAKEN, "CARRIER_UNAVAILABLE")
    assert outcome.raw.startswith("not written: ConnectError")


async def test_a_server_without_tls_is_told_nothing(sandbox: AfricasTalkingSandbox, at: Carriers) -> None:
    carrier = await at(sandbox.url.replace("http:", "https:"), wait=False)
    assert not await carrier.wait_until_up(0.2)
    assert carrier.try_reserve() is None
    assert "ConnectError" in str(carrier.status().binds[0].last_error)


async def test_no_byte_of_a_message_is_asked_for_before_the_connection_stands(sandbox: AfricasTalkingSandbox) -> None:
    without_tls = AfricasTalkingSettings("sandbox", "sandbox-key", base_url=sandbox.url.replace("http:", "https:"))
    client, handover = AfricasTalkingClient(without_tls), Handover(submission(), without_tls)
    with pytest.raises(httpx.ConnectError):
        await client.send(handover)
    await client.close()
    assert not handover.begun
    with pytest.raises(httpx.ConnectError, match="stopped"):
        await client.send(handover)
    assert sandbox.account.counts.requests == 0


async def test_a_connection_that_does_not_come_about_in_time_proves_that_nothing_was_taken(
    at: Carriers, sandbox: AfricasTalkingSandbox
) -> None:
    carrier = await at(connect_timeout_s=0.1, response_timeout_s=0.4)
    slot = await reserve(carrier)
    port = sandbox.port
    await sandbox.stop()
    with socket.socket() as full:
        # A backlog that is full lets no further connection come about.
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", port))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        outcome = await carrier.submit(slot, submission())
        for filler in fillers:
            filler.close()
    assert outcome.kind is NOT_TAKEN
    assert outcome.raw in ("not written: ConnectTimeout", "not written: broken off")


async def test_an_answer_that_comes_too_late_is_told_after_all(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send, inbox: Inbox
) -> None:
    carrier = await at(response_timeout_s=0.2, connect_timeout_s=0.1, window=1)
    outcome = await send(carrier, NUMBER_OF["slow"])
    assert (outcome.kind, outcome.error_code) == (UNKNOWN, "CARRIER_NO_ANSWER")
    assert carrier.free_slots == 0, "the request keeps its place"
    await inbox.wait_for(lambda: bool(inbox.late))
    (late,) = inbox.late
    assert (late.message_id, late.epoch) == ("outbox_1", 7)
    assert late.outcome.kind is ACCEPTED
    assert late.outcome.carrier_message_ids == (sandbox.account.messages[0].id,)
    assert carrier.free_slots == 1


async def test_a_late_answer_that_never_comes_gives_its_place_back(at: Carriers, send: Send, inbox: Inbox) -> None:
    carrier = await at(response_timeout_s=0.2, connect_timeout_s=0.1, late_answer_s=0.1, window=1)
    assert (await send(carrier, NUMBER_OF["silent"])).kind is UNKNOWN
    assert (await send(carrier)).kind is ACCEPTED
    assert not inbox.late


async def test_a_connection_that_was_cut_while_idle_is_not_written_to(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at()
    assert (await send(carrier)).kind is ACCEPTED
    sandbox.cut_links()
    await sandbox.wait_for(lambda: not sandbox.links)
    assert (await send(carrier)).kind is ACCEPTED
    assert sandbox.account.counts.taken == 2


async def test_messages_beyond_the_carriers_own_rate_are_taken_later_and_none_twice(
    sandbox: AfricasTalkingSandbox, at: Carriers, send: Send
) -> None:
    carrier = await at(window=8)
    wanted = [NUMBER_OF["throttle"]] * 3 + [PHONE] * 5

    async def until_taken(number: int, phone: str) -> None:
        async with asyncio.timeout(10):
            while (await send(carrier, phone, text=f"message {number}")).kind is not ACCEPTED:
                continue

    await asyncio.gather(*(until_taken(number, phone) for number, phone in enumerate(wanted)))
    counts = sandbox.account.counts
    assert (counts.throttled, counts.taken, counts.repeated) == (9, 8, 0)


async def test_a_rate_setting_spaces_messages(at: Carriers, send: Send) -> None:
    carrier = await at(max_submits_per_s=20.0, window=50)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(send(carrier, text=f"message {number}") for number in range(12)))
    assert loop.time() - began >= 0.45


async def test_a_message_has_begun_to_leave_before_its_first_byte_is_given_away() -> None:
    handover = Handover(submission(), AfricasTalkingSettings("sandbox", "sandbox-key"))
    assert not handover.begun
    assert await anext(handover.body()) == handover.payload
    assert handover.begun


def listener(port: int, *, backlog: int) -> socket.socket:
    """In the place of a carrier that was at the port, with buffers that a long body does not fit into."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listening.bind(("127.0.0.1", port))
    listening.listen(backlog)
    listening.setblocking(False)
    return listening


async def test_a_connection_that_breaks_while_the_body_is_written_leaves_the_outcome_open(
    sandbox: AfricasTalkingSandbox, at: Carriers
) -> None:
    carrier = await at()
    slot = await reserve(carrier)
    await sandbox.stop()
    loop = asyncio.get_running_loop()
    with listener(sandbox.port, backlog=8) as listening:
        sending = asyncio.create_task(carrier.submit(slot, submission(text="a" * 4_000_000)))
        received = b""
        while not received:
            # A look at the account may come first; only the message is a POST.
            connection, _ = await loop.sock_accept(listening)
            head = await loop.sock_recv(connection, 256)
            if not head.startswith(b"POST"):
                connection.close()
                continue
            while b"\r\n\r\n" not in head:
                head += await loop.sock_recv(connection, 256)
            received = head
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        async with asyncio.timeout(DEADLINE_S):
            outcome = await sending
    assert (outcome.kind, outcome.error_code) == (UNKNOWN, "CARRIER_NO_ANSWER")


class Impatient(AfricasTalkingSettings):
    """With a time for the answer that may be shorter than that for the connection, as TLS and names can make it."""

    def __post_init__(self) -> None:
        """Checks nothing."""


async def test_a_message_that_had_no_connection_when_its_time_ran_out_is_not_taken(
    sandbox: AfricasTalkingSandbox, inbox: Inbox
) -> None:
    settings = Impatient("sandbox", "sandbox-key", sandbox.url, connect_timeout_s=DEADLINE_S, response_timeout_s=0.2)
    carrier = AfricasTalkingCarrier(settings, inbox.sinks)
    await carrier.start()
    assert await carrier.wait_until_up(DEADLINE_S)
    slot = await reserve(carrier)
    await sandbox.stop()
    with listener(sandbox.port, backlog=0), ExitStack() as waiting:
        # A backlog that is full lets no further connection come about.
        for _ in range(4):
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", sandbox.port))
        outcome = await carrier.submit(slot, submission())
        assert (outcome.kind, outcome.error_code) == (NOT_TAKEN, "CARRIER_UNAVAILABLE")
        assert outcome.raw == "not written: broken off"
        assert carrier.status().in_use == 0, "the request goes on, and may leave later"
        await carrier.stop(timeout_s=0.05)
    assert not inbox.late
