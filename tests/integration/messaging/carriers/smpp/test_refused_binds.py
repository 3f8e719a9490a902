"""What a carrier says to a bind, in the forms that carriers use, and how soon it is asked again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from tests.doubles.scripted_smsc import BIND_TRANSCEIVER, GENERIC_NACK, Reply, ScriptedSmsc
from tests.integration.messaging.carriers.smpp.conftest import Inbox


def carrier_of(smsc: ScriptedSmsc, inbox: Inbox, **changes: float) -> SmppCarrier:
    chosen = {"reconnect_min_s": 0.01, "reconnect_max_s": 0.05, "response_timeout_s": 60.0, **changes}
    return SmppCarrier(SmppSettings("127.0.0.1", smsc.port, "tukupay", "secret", **chosen), inbox.sinks, "test")  # type: ignore[arg-type]  # fields by name


async def gaps_between_binds(smsc: ScriptedSmsc, count: int) -> list[float]:
    """Seconds between the first binds that came."""
    await smsc.until(lambda: len(smsc.all_of(BIND_TRANSCEIVER)) > count)
    times = [got.at_s for got in smsc.all_of(BIND_TRANSCEIVER)]
    return [later - earlier for earlier, later in pairwise(times)][:count]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Reply(0x04, command=GENERIC_NACK, sequence=0), "ESME_RINVBNDSTS (0x00000004)"),
        (Reply(0x03, command=GENERIC_NACK), "ESME_RINVCMDID (0x00000003)"),
        (Reply(0x00, command=GENERIC_NACK), "ESME_RINVCMDID (0x00000003)"),
        (Reply(0x00, command=GENERIC_NACK, sequence=0), "ESME_RINVCMDID (0x00000003)"),
        (Reply(0x0D, sequence=0), "ESME_RBINDFAIL (0x0000000D)"),
    ],
)
async def test_a_nack_is_the_answer_to_a_bind_whatever_its_number(
    scripted_smsc: ScriptedSmsc, inbox: Inbox, answer: Reply, status: str
) -> None:
    scripted_smsc.on(BIND_TRANSCEIVER, [answer])
    carrier = carrier_of(scripted_smsc, inbox)
    with capture_logs() as logs:
        await carrier.start()
        # At once: the time-out of the bind is longer than the test would wait.
        await scripted_smsc.link(1)
        await carrier.stop()
    assert [entry["status"] for entry in logs if entry["event"] == "smpp.bind_refused"] == [status]
    assert not any(entry["event"] == "smpp.unreachable" for entry in logs)


@pytest.mark.parametrize("answer", [Reply(0x0D), Reply(then_close=True)])
async def test_no_bind_comes_sooner_than_the_shortest_wait(
    scripted_smsc: ScriptedSmsc, inbox: Inbox, answer: Reply
) -> None:
    scripted_smsc.on(BIND_TRANSCEIVER, answer)
    carrier = carrier_of(scripted_smsc, inbox, reconnect_min_s=0.1, reconnect_max_s=0.1)
    await carrier.start()
    gaps = await gaps_between_binds(scripted_smsc, 4)
    await carrier.stop()
    assert min(gaps) >= 0.1


async def test_a_carrier_that_still_holds_an_earlier_session_is_given_time(
    scripted_smsc: ScriptedSmsc, inbox: Inbox
) -> None:
    scripted_smsc.on(BIND_TRANSCEIVER, [Reply(0x0D), Reply(0x05)])
    carrier = carrier_of(scripted_smsc, inbox, reconnect_min_s=0.01, reconnect_max_s=1.0)
    await carrier.start()
    after_failure, after_already_bound = await gaps_between_binds(scripted_smsc, 2)
    await carrier.stop()
    assert after_failure < 0.5
    assert after_already_bound >= 1.0
