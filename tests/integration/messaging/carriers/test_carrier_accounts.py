"""What a carrier tells of a message as a whole: one id, one report, its own charge and count of parts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from messaging_service.carriers.domain.submission import DeliveryReceipt, Outcome, OutcomeKind, ReceiptState
from messaging_service.receipts.late_outcomes import LateSettlement, Verdict
from messaging_service.shared.domain.states import Billing, State
from tests.contract.sms_examples import RECIPIENT, TWO_UNITS, acceptance, accepted
from tests.integration.messaging.conftest import receipt, record, sent, stored
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)


def whole(state: ReceiptState = ReceiptState.DELIVERED, *, recipient: str | None = RECIPIENT) -> DeliveryReceipt:
    """A report on all parts of the message ATXid_1, without a sender."""
    report = receipt("ATXid_1", state, carrier="at", recipient=recipient, sender_id=None)
    return replace(report, speaks_for_all_parts=True, network="63902")


def taken(parts: int) -> Outcome:
    return replace(
        accepted(*["ATXid_1"] * parts, carrier="at"), carrier_cost=Decimal("0.8000") * parts, carrier_parts=parts
    )


async def test_one_report_delivers_every_part_of_a_message_that_has_one_id(outbox: Replica) -> None:
    message = await sent(outbox, taken(2), message=TWO_UNITS)
    await outbox.receipts.store([whole()])
    await outbox.receipts.work(500)
    assert (await stored(outbox, message.id)).state is State.DELIVERED


async def test_one_report_fails_every_part_of_it(outbox: Replica) -> None:
    message = await sent(outbox, taken(2), message=TWO_UNITS)
    await outbox.receipts.store([whole(ReceiptState.UNDELIVERABLE)])
    await outbox.receipts.work(500)
    assert (await stored(outbox, message.id)).state is State.UNDELIVERED


@pytest.mark.parametrize(
    ("speaks_for_all", "state", "billing"),
    [(True, State.DELIVERED, Billing.CHARGED), (False, State.UNKNOWN, Billing.HELD)],
)
async def test_a_report_resolves_a_lost_answer_of_several_parts_only_when_it_speaks_for_all(
    outbox: Replica, database_url: str, speaks_for_all: bool, state: State, billing: Billing
) -> None:
    message = await record(outbox, acceptance(claimed=True, message=TWO_UNITS))
    await pass_time(database_url, 31)
    await outbox.sweep()
    await outbox.receipts.store([replace(whole(), speaks_for_all_parts=speaks_for_all)])
    for _ in range(4):
        await outbox.receipts.work(500)
        await pass_time(database_url, 5)
    resolved = await stored(outbox, message.id)
    assert (resolved.state, resolved.billing) == (state, billing)


async def test_an_open_outcome_with_an_id_is_resolved_by_that_id_alone(outbox: Replica) -> None:
    held = Outcome(OutcomeKind.UNKNOWN, "at", ("ATXid_1", "ATXid_1"), "CARRIER_ON_HOLD", "HTTP 201 401 RiskHold")
    message = await sent(outbox, held, message=TWO_UNITS)
    await outbox.receipts.store([whole(recipient=None)])
    await outbox.receipts.work(500)
    assert (await stored(outbox, message.id)).state is State.DELIVERED


async def test_the_carriers_charge_and_parts_stay_with_the_event_of_its_answer(
    outbox: Replica, database_url: str
) -> None:
    message = await sent(outbox, taken(2), message=TWO_UNITS)
    await sent(outbox, accepted("S1", "S2"), message=TWO_UNITS)
    events = await rows(
        database_url,
        "SELECT carrier, carrier_cost, carrier_parts FROM message_event WHERE to_state = 'accepted' ORDER BY id",
    )
    assert events == [("at", Decimal("1.600000"), 2), ("smpp", None, None)]
    assert message.total == Decimal("1.2"), "what the carrier takes is not what the account pays"


async def test_a_report_keeps_the_network_of_the_phone(outbox: Replica, database_url: str) -> None:
    await outbox.receipts.store([whole(), receipt("S1")])
    kept = await rows(database_url, "SELECT network, all_parts FROM receipt ORDER BY id")
    assert kept == [("63902", True), (None, False)]


async def test_an_answer_that_came_late_brings_its_charge_along(outbox: Replica, database_url: str) -> None:
    lost = Outcome(OutcomeKind.UNKNOWN, "at", (), "CARRIER_NO_ANSWER", "no answer within 10 s")
    message = await sent(outbox, lost, message=TWO_UNITS)
    assert await outbox.late.settle_late([LateSettlement(message.id, 1, taken(2), 0.0)]) == [Verdict.RECORDED]
    events = await rows(
        database_url, "SELECT to_state, carrier_cost, carrier_parts FROM message_event ORDER BY id DESC LIMIT 1"
    )
    assert events == [("accepted", Decimal("1.600000"), 2)]
