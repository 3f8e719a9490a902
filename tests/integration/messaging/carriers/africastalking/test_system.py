"""From a send over gRPC to the carrier, and back from its posts over the gateway into the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc.aio import AioRpcError

from gateway_http.bootstrap import Gateway
from gateway_http.settings import GatewaySettings
from messaging_service.wiring.bootstrap import running
from messaging_service.wiring.seams import Seams
from sandbox_carriers.africastalking import AfricasTalkingSandbox
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import ServiceError
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.settings import Address
from tests.conftest import DatabaseTemplate
from tests.integration.messaging.carriers.africastalking.conftest import NUMBER_OF, PHONE
from tests.integration.messaging.running_service import message, priced
from tests.system.messaging_database import empty_database, rows
from tests.system.messaging_settings import messaging_settings
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2 as callbacks_pb
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2_grpc, carriers_pb2, carriers_pb2_grpc, messaging_pb2_grpc
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

SECRET = "s3cret-s3cret-s3cret"
DEADLINE_S = 15.0
ANY_PORT = Address("127.0.0.1", 0)
CARRIERS = """
[[carriers]]
name = "at"
kind = "africastalking"
username = "sandbox"
api_key_file = "{key}"
base_url = "{url}"
response_timeout_s = 5.0
"""


@dataclass
class System:
    """A messaging service, a gateway in front of it, and the carrier behind."""

    sms: messaging_pb2_grpc.MessagingServiceAsyncStub
    callbacks: carrier_callbacks_pb2_grpc.CarrierCallbackServiceAsyncStub
    carriers: carriers_pb2_grpc.CarrierServiceAsyncStub
    sandbox: AfricasTalkingSandbox
    url: str

    async def send(self, recipient: str = PHONE, text: str = "Hello", **fields: Any) -> pb.OutboxEntry:
        return (await self.sms.SendSms(message(recipient_phone_number=recipient, message=text, **fields))).entry

    async def entry(self, outbox_id: str) -> pb.OutboxEntry:
        return (await self.sms.GetOutboxEntry(pb.GetOutboxEntryRequest(outbox_id=outbox_id))).entry

    async def becomes(self, entry: pb.OutboxEntry, state: pb.DeliveryState.ValueType) -> pb.OutboxEntry:
        """The entry once it is in a state."""
        found = await eventually(lambda: self.entry(entry.outbox_id), lambda found: found.delivery_state == state)
        assert isinstance(found, pb.OutboxEntry)
        return found


async def eventually(look: Callable[[], Awaitable[Any]], is_it: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        while not is_it(found := await look()):  # noqa: ASYNC110 - what changes is in a database
            await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def system_on(url: str, sandbox: AfricasTalkingSandbox, folder: Path) -> AsyncIterator[System]:
    key, file = folder / "key", folder / "carriers.toml"
    key.write_text("sandbox-key\n")
    file.write_text(CARRIERS.format(key=key, url=sandbox.url))
    async with AsyncExitStack() as stack:
        pricing_port = await stack.enter_async_context(priced())
        settings = messaging_settings(
            database_url=url,
            carriers_file=file,
            grpc_address=ANY_PORT,
            pricing_address=Address("127.0.0.1", pricing_port),
            poll_s=0.05,
            sweep_s=0.1,
            drain_s=1.0,
        )
        server = await stack.enter_async_context(running(settings, Seams()))
        channel = await stack.enter_async_context(open_channel(Address("127.0.0.1", server.port)))
        gateway = Gateway(
            GatewaySettings(http_address=ANY_PORT, africastalking_secrets=(("at", SECRET),)), channel, channel
        )
        await gateway.start()
        stack.push_async_callback(gateway.stop, 1.0)
        sandbox.callbacks.url = f"http://127.0.0.1:{gateway.http.port}/carriers/africastalking/{SECRET}"
        yield System(
            messaging_pb2_grpc.MessagingServiceStub(channel),
            carrier_callbacks_pb2_grpc.CarrierCallbackServiceStub(channel),
            carriers_pb2_grpc.CarrierServiceStub(channel),
            sandbox,
            url,
        )


@pytest.fixture
async def system(
    postgres_server: EmbeddedPostgres,
    database_template: DatabaseTemplate,
    sandbox: AfricasTalkingSandbox,
    tmp_path: Path,
) -> AsyncIterator[System]:
    async with system_on(empty_database(postgres_server, database_template), sandbox, tmp_path) as system:
        yield system


async def test_a_message_is_sent_and_its_report_delivers_it(system: System) -> None:
    entry = await system.send(text="Karibu " * 40)
    assert (entry.status, entry.carrier) == (pb.SMS_STATUS_SENT, "at")
    await system.becomes(entry, pb.DELIVERY_STATE_DELIVERED)
    (event,) = await rows(
        system.url, "SELECT carrier_cost, carrier_parts, raw FROM message_event WHERE to_state = 'accepted'"
    )
    assert event == (Decimal("1.6"), 2, "HTTP 201 101 Success cost KES 1.6000 parts 2")
    (receipt,) = await rows(system.url, "SELECT carrier, network, raw FROM receipt")
    assert receipt == ("at", "63902", "status Success, network 63902 Safaricom")


@pytest.mark.parametrize(
    ("behaviour", "state", "code"),
    [
        ("failed", pb.DELIVERY_STATE_UNDELIVERED, "NOT_DELIVERED"),
        ("expired", pb.DELIVERY_STATE_UNDELIVERED, "DELIVERY_EXPIRED"),
        ("rejected-late", pb.DELIVERY_STATE_UNDELIVERED, "REJECTED_AFTER_ACCEPTANCE"),
        ("absent", pb.DELIVERY_STATE_UNDELIVERED, "NOT_DELIVERED"),
        ("opted-out-late", pb.DELIVERY_STATE_UNDELIVERED, "OPTED_OUT_AT_CARRIER"),
        ("bad-number-late", pb.DELIVERY_STATE_UNDELIVERED, "INVALID_RECIPIENT"),
        ("filtered", pb.DELIVERY_STATE_REFUSED, "REJECTED_BY_CARRIER"),
        ("buffered", pb.DELIVERY_STATE_DELIVERED, ""),
        ("twice", pb.DELIVERY_STATE_DELIVERED, ""),
        ("early-report", pb.DELIVERY_STATE_DELIVERED, ""),
        ("odd-report", pb.DELIVERY_STATE_ACCEPTED, ""),
        ("bad-number", pb.DELIVERY_STATE_REFUSED, "INVALID_RECIPIENT"),
        ("no-route", pb.DELIVERY_STATE_REFUSED, "NO_ROUTE"),
    ],
)
async def test_each_report_ends_the_message_as_it_says(
    system: System, behaviour: str, state: pb.DeliveryState.ValueType, code: str
) -> None:
    entry = await system.send(NUMBER_OF[behaviour])
    await system.sandbox.wait_for(lambda: not system.sandbox.callbacks.waiting)
    if behaviour == "odd-report":
        found = await eventually(lambda: rows(system.url, "SELECT state, raw FROM receipt"), bool)
        assert found == [("unknown", "status Teleported, network 63902 Safaricom")]
    ended = await system.becomes(entry, state)
    assert ended.error_code == code
    if behaviour.endswith("-late") and behaviour != "rejected-late":
        assert ended.resend_advice == pb.RESEND_ADVICE_NEVER


@pytest.mark.parametrize("behaviour", ["drop-after", "garbage", "http-502"])
async def test_an_answer_that_was_lost_is_made_up_for_by_the_report(system: System, behaviour: str) -> None:
    entry = await system.send(NUMBER_OF[behaviour], text="ж" * 150)
    assert (entry.status, entry.delivery_state) == (pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_UNKNOWN)
    await system.becomes(entry, pb.DELIVERY_STATE_DELIVERED)
    assert system.sandbox.account.counts.requests == 1


async def test_in_a_crowd_with_every_fault_nothing_is_lost_doubled_or_charged_wrongly(system: System) -> None:
    left_out = {"silent", "drip", "slow", "no-money", "http-500", "server-error"}
    faults = [number for name, number in NUMBER_OF.items() if name not in left_out]
    recipients = faults + [PHONE] * 60
    entries = await asyncio.gather(
        *(system.send(recipient, text=f"message {number}") for number, recipient in enumerate(recipients))
    )
    # What was not taken and could not be proven so stays open, as does what the carrier keeps.
    stuck = [NUMBER_OF["drop-before"], NUMBER_OF["risk-hold"]]
    ended = "state IN ('delivered', 'undelivered', 'refused', 'accepted')"
    open_now = f"SELECT recipient FROM message WHERE NOT {ended} ORDER BY 1 DESC"
    await eventually(lambda: rows(system.url, open_now), lambda found: [row[0] for row in found] == stuck)
    assert system.sandbox.account.counts.repeated == 0
    taken = {sms.text for sms in system.sandbox.account.messages}
    for number, entry in enumerate(entries):
        state = (await system.entry(entry.outbox_id)).delivery_state
        if state != pb.DELIVERY_STATE_UNKNOWN:
            assert (f"message {number}" in taken) is (state != pb.DELIVERY_STATE_REFUSED)
    charged = "(billing = 'charged') <> (state IN ('accepted', 'delivered', 'undelivered'))"
    assert await rows(system.url, f"SELECT count(*) FROM message WHERE {charged}") == [(0,)]
    owed = "sum(total) FILTER (WHERE billing = 'held'), -sum(total) FILTER (WHERE billing = 'charged')"
    booked = await rows(system.url, "SELECT held, posted FROM account")
    assert booked == await rows(system.url, f"SELECT {owed} FROM message")


async def test_a_phone_that_opts_out_or_writes_stop_gets_no_more_messages(system: System) -> None:
    assert await system.sandbox.callbacks.opts_out(PHONE, "TUKUPAY")
    assert await system.sandbox.callbacks.phone_writes("+254711222444", "TUKUPAY", "Stop")
    suppressed = await eventually(
        lambda: rows(system.url, "SELECT phone, source FROM suppression ORDER BY phone"), lambda found: len(found) == 2
    )
    assert suppressed == [(PHONE, "carrier"), ("+254711222444", "stop_keyword")]


async def test_a_report_that_was_turned_away_comes_again(system: System) -> None:
    url = str(system.sandbox.callbacks.url)
    system.sandbox.callbacks.url = url.replace(SECRET, "wrong-wrong-wrong-wrong")
    late = await system.send()
    await system.sandbox.wait_for(lambda: system.sandbox.account.counts.reports_sent > 0)
    assert (await system.entry(late.outbox_id)).delivery_state == pb.DELIVERY_STATE_ACCEPTED
    system.sandbox.callbacks.url = url
    await system.becomes(late, pb.DELIVERY_STATE_DELIVERED)


async def refused(call: Awaitable[Any]) -> ServiceError:
    with pytest.raises(AioRpcError) as caught:
        await call
    error = from_rpc_error(caught.value)
    assert error is not None
    return error


async def test_what_can_never_be_stored_is_refused_by_name(system: System) -> None:
    def report(**changes: Any) -> Awaitable[Any]:
        fields = {"carrier": "at", "carrier_message_id": "ATXid_1", "status": "Success"} | changes
        return system.callbacks.IngestDeliveryReport(callbacks_pb.IngestDeliveryReportRequest(**fields))

    assert (await refused(report(carrier="nobody"))).reason == "CARRIER_NOT_FOUND"
    for fault in ("", "a b", "x" * 129, "a\x00"):
        error = await refused(report(carrier_message_id=fault))
        assert [violation.field for violation in error.violations] == ["carrier_message_id"]
    assert [violation.field for violation in (await refused(report(status=" "))).violations] == ["status"]
    opt_out = callbacks_pb.IngestOptOutRequest(carrier="at", phone_number="nobody", sender_id="TUKUPAY")
    assert (await refused(system.callbacks.IngestOptOut(opt_out))).violations[0].field == "phone_number"
    inbound = callbacks_pb.IngestInboundMessageRequest(carrier="at", phone_number=PHONE, sender_id="\x00")
    assert (await refused(system.callbacks.IngestInboundMessage(inbound))).violations[0].field == "sender_id"


async def test_odd_characters_are_stored_as_they_can_be(system: System) -> None:
    await system.callbacks.IngestDeliveryReport(
        callbacks_pb.IngestDeliveryReportRequest(
            carrier="at", carrier_message_id="ATXid_9", status="Suc\x00cess\n", failure_reason="x" * 500
        )
    )
    ((state, raw),) = await rows(system.url, "SELECT state, raw FROM receipt")
    assert (state, raw) == ("unknown", f"status Suc?cess, reason {'x' * 64}")
    await system.callbacks.IngestInboundMessage(
        callbacks_pb.IngestInboundMessageRequest(carrier="at", phone_number=PHONE, sender_id="22141", text="a\x00b")
    )


async def test_operators_see_the_carriers_balance_and_why_it_pauses(system: System) -> None:
    async def report() -> carriers_pb2.CarrierReport:
        (report,) = (await system.carriers.ListCarriers(carriers_pb2.ListCarriersRequest())).carriers
        return report

    up = await eventually(report, lambda found: found.is_up)
    assert (up.kind, up.balance_micros, up.remark) == (carriers_pb2.CARRIER_KIND_AFRICASTALKING, 1_785_500_000, "")
    system.sandbox.account.balance = Decimal(0)
    # It waits in the queue for money at the carrier, for longer than anybody waits for its outcome.
    assert (await system.send(outcome_wait=Duration(nanos=300_000_000))).status == pb.SMS_STATUS_PENDING
    paused = await eventually(report, lambda found: bool(found.remark))
    assert "used up" in paused.remark
    assert not paused.is_up
