"""A carrier that reads no more: what never left is proven not taken, and must not leave afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from messaging_service.adapters.carriers.smpp.settings import LongText
from messaging_service.domain.submission import OutcomeKind
from tests.doubles.scripted_smsc import ScriptedSmsc
from tests.integration.smpp.conftest import DEADLINE_S, Bound, Inbox, Send

PHONE = "+254712345678"
MOST = 2_000
BEHIND = 3


@pytest.fixture
def small_smsc() -> Iterator[ScriptedSmsc]:
    with ScriptedSmsc(receive_buffer=4_096) as smsc:
        yield smsc


async def test_what_the_carrier_does_not_read_is_not_taken_and_never_leaves(
    small_smsc: ScriptedSmsc, bound: Bound, send: Send, inbox: Inbox
) -> None:
    carrier = await bound(
        small_smsc.port, window=MOST, long_text=LongText.PAYLOAD, response_timeout_s=1.0, reconnect_min_s=60.0,
        reconnect_max_s=60.0,
    )  # fmt: skip
    link = await small_smsc.link(0)
    link.reads.clear()
    session = carrier._binds[0].session
    assert session is not None
    written: list[asyncio.Task[object]] = []
    while not session._paused:
        assert len(written) < MOST - BEHIND
        written.append(asyncio.create_task(send(carrier, PHONE, "before " * 4_000)))
        await asyncio.sleep(0)
    behind = [asyncio.create_task(send(carrier, PHONE, f"behind the buffer {n}")) for n in range(BEHIND)]
    outcomes = await asyncio.gather(*behind)
    assert {(outcome.kind, outcome.error_code) for outcome in outcomes} == {
        (OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE")
    }
    await asyncio.wait_for(asyncio.gather(*written), DEADLINE_S)
    assert carrier.status().binds[0].last_error == "the carrier does not read"
    link.reads.set()
    await link.closed()
    assert not any(b"behind the buffer" in got.body for got in link.received)
