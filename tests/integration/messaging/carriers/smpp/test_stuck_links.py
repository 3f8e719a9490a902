"""A carrier that reads no more: what never left is proven not taken, and must not leave afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.codec.pdu import GENERIC_NACK, with_body
from tests.doubles.scripted_smsc import ScriptedSmsc
from tests.integration.messaging.carriers.smpp.conftest import Bound, Send

PHONE = "+254712345678"
FILLING_OCTETS = 64 * 1_024
MOST = 1_000
"""Fillings that no system keeps for a peer that does not read."""
BEHIND = 3


@pytest.fixture
def small_smsc() -> Iterator[ScriptedSmsc]:
    with ScriptedSmsc(receive_buffer=4_096) as smsc:
        yield smsc


async def test_what_the_carrier_does_not_read_is_not_taken_and_never_leaves(
    small_smsc: ScriptedSmsc, bound: Bound, send: Send
) -> None:
    carrier = await bound(small_smsc.port, response_timeout_s=1.0, reconnect_min_s=60.0, reconnect_max_s=60.0)
    link = await small_smsc.link(0)
    link.reads.clear()
    session = carrier._binds[0].session
    assert session is not None
    before = asyncio.create_task(send(carrier, PHONE, "before the buffer"))
    filling = with_body(GENERIC_NACK, 1, bytes(FILLING_OCTETS))
    for _ in range(MOST):
        if session._paused:
            break
        session.send(filling)
        await asyncio.sleep(0)
    assert session._paused
    behind = [asyncio.create_task(send(carrier, PHONE, f"behind the buffer {n}")) for n in range(BEHIND)]
    outcomes = await asyncio.gather(*behind)
    assert {(outcome.kind, outcome.error_code) for outcome in outcomes} == {
        (OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE")
    }
    assert (await before).kind is OutcomeKind.UNKNOWN
    assert carrier.status().binds[0].last_error == "the carrier does not read"
    link.reads.set()
    await link.closed()
    assert not any(b"behind the buffer" in got.body for got in link.received)
