"""What a carrier says to a bind, in the forms that carriers use, and how soon it is asked again."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from messaging_service.adapters.carriers.smpp import SmppCarrier, SmppSettings
from tests.doubles.scripted_smsc import BIND_TRANSCEIVER, GENERIC_NACK, Reply, ScriptedSmsc
from tests.integration.smpp.conftest import Inbox


def carrier_of(smsc: ScriptedSmsc, inbox: Inbox, **changes: float) -> SmppCarrier:
    chosen = {"reconnect_min_s": 0.01, "reconnect_max_s": 0.05, "response_timeout_s": 60.0, **changes}
    return SmppCarrier(SmppSettings("127.0.0.1", smsc.port, "tukupay", "secret", **chosen), inbox.sinks, "test")  # type: ignore[arg-type]  # fields by name


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
