"""A part that is missing: a clear answer, and nothing stored, held, charged or sent.

Only pricing is made up for: accounts whose price is known are served for a while without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from tests.system.fixtures import NewSystem
from tests.system.privacy import leaks
from tests.system.rest import COSTS, OUTBOX, Answer
from tests.system.running import System
from tests.system.waiting import until
from tukupay.sms.messaging.v1 import reports_pb2, reports_pb2_grpc

STALE_S = 2.5
QUICK = {"MESSAGING_PRICE_HEARTBEAT_S": "0.2", "MESSAGING_PRICING_TIMEOUT_S": "1"}


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    """A system of their own for tests that stop its parts."""
    made = new_system(MESSAGING_PRICE_STALE_S=str(STALE_S), **QUICK)
    made.start()
    return made


@pytest.fixture(autouse=True)
def all_parts_are_up(system: System) -> Iterator[None]:
    """Each test finds everything running, and the price book filled."""
    if not system.pricing_database.value("SELECT count(*) FROM cost"):
        system.rest.set_cost("DirectCustomer", 0.8)
    yield
    for process in system.processes:
        if not process.is_running:
            process.start()
    until("everything is ready again", system.rest.is_ready)


@contextmanager
def nothing_left_behind(system: System) -> Iterator[None]:
    before = system.traces()
    yield
    assert system.traces() == before


def assert_unavailable(answer: Answer, reason: str) -> None:
    """A 503 that says why, that nothing was done (when that is sure), and when to try again."""
    assert (answer.status, answer.reason) == (503, reason)
    # Whoever loses the database in the middle of a commit cannot tell.
    assert reason == "DATABASE_UNAVAILABLE" or "nothing was stored or charged" in answer.problem["detail"]
    assert "try again shortly" in answer.problem["detail"]
    assert int(answer.headers["retry-after"]) >= 1


def test_without_any_price_nothing_is_sent(system: System) -> None:
    system.pricing_database.run("TRUNCATE cost")
    with nothing_left_behind(system):
        answer = system.rest.send("unpriced", messageId="unpriced")
        assert (answer.status, answer.reason) == (409, "NO_PRICE")
        assert "nothing was stored or charged" in answer.problem["detail"]
        assert "TukuPay" in answer.problem["detail"]
    system.rest.set_cost("TukuPay", 1)
    assert system.rest.send("unpriced", messageId="unpriced").entry["totalCost"] == 1


def test_a_price_that_begins_later_does_not_price_a_message_of_now(system: System) -> None:
    system.pricing_database.run("TRUNCATE cost")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    system.rest.set_cost("DirectCustomer", 0.8, effectiveFrom=tomorrow)
    with nothing_left_behind(system):
        assert system.rest.send("too-early").reason == "NO_PRICE"
    system.pricing_database.run("TRUNCATE cost")


def test_with_pricing_down_an_account_without_a_known_price_sends_nothing(system: System) -> None:
    system.pricing.kill()
    with nothing_left_behind(system):
        assert_unavailable(system.rest.send("no-pricing"), "PRICING_UNAVAILABLE")
        assert system.rest.get(f"{COSTS}/current", level="DirectCustomer").reason == "PRICING_UNAVAILABLE"
        ready = system.rest.get("/readyz")
        assert (ready.status, ready.body["parts"]) == (503, {"pricing": "unreachable", "messaging": "serving"})
    system.pricing.start()
    until("it sends again", lambda: system.rest.send("no-pricing", messageId="again").status == 200)


def test_with_pricing_down_known_prices_serve_for_the_bound_and_then_nothing_is_sent(system: System) -> None:
    keep_a_price(system)
    since = time.monotonic()
    system.pricing.kill()
    answer = system.rest.send("known")
    assert answer.status == 200, answer.text
    assert answer.entry["totalCost"] == 0.7
    until("it sends no more", lambda: system.rest.send("known").status == 503)
    assert STALE_S - 1 < time.monotonic() - since < STALE_S + 10
    with nothing_left_behind(system):
        assert_unavailable(system.rest.send("known"), "PRICING_UNAVAILABLE")
    system.pricing.start()
    until("it sends again", lambda: system.rest.send("known").status == 200)


def test_with_no_bound_at_all_nothing_is_sent_as_soon_as_pricing_is_down(new_system: NewSystem) -> None:
    strict = new_system(MESSAGING_PRICE_STALE_S="0", **QUICK)
    strict.start()
    strict.rest.set_cost("DirectCustomer", 0.8)
    keep_a_price(strict)
    strict.pricing.kill()
    until("it sends no more", lambda: strict.rest.send("known").status == 503, deadline_s=2.0)
    with nothing_left_behind(strict):
        assert_unavailable(strict.rest.send("known"), "PRICING_UNAVAILABLE")


def keep_a_price(system: System) -> None:
    """Returns when messaging's copy has a price of the account `known`, 0.7 KES, and a watch that keeps it right."""
    with grpc.insecure_channel(system.messaging_address, options=(("grpc.enable_http_proxy", 0),)) as channel:
        stub = reports_pb2_grpc.ReportServiceStub(channel)

        def is_kept() -> bool:
            # A watch that is only being opened again would forget what was learned before it.
            sent = system.rest.send("known").status == 200
            copy = stub.AuditPriceCopy(reports_pb2.AuditPriceCopyRequest())
            told = copy.epoch == system.pricing_database.value("SELECT epoch FROM price_epoch")
            return sent and told and copy.answers > 0

        until("a price is kept", is_kept)
        # What is kept changes only when the watch tells.
        system.rest.set_cost("SpecificCustomer", 0.7, customerId="known")
        until("the change is charged", lambda: system.rest.send("known").entry["totalCost"] == 0.7)
        until("the new price is kept", is_kept)


def test_with_the_pricing_database_down_an_account_without_a_known_price_sends_nothing(system: System) -> None:
    system.pricing_database.close()
    try:
        with nothing_left_behind(system):
            assert_unavailable(system.rest.send("no-book"), "PRICING_UNAVAILABLE")
            answer = system.rest.get(f"{COSTS}/current", level="DirectCustomer")
            assert (answer.status, answer.reason) == (503, "DATABASE_UNAVAILABLE")
            until("pricing says so", lambda: system.rest.get("/readyz").text.count("not serving") == 1)
            assert system.pricing.is_running
    finally:
        system.pricing_database.open()
    until("it sends again", lambda: system.rest.send("no-book", messageId="again").status == 200)


def test_with_the_messaging_database_down_nothing_is_sent(system: System) -> None:
    sent = system.rest.send("no-database").entry["outboxId"]
    system.wait_for_state(sent, "delivered")
    before = system.traces()
    system.messaging_database.close()
    try:
        assert_unavailable(system.rest.send("no-database"), "DATABASE_UNAVAILABLE")
        for answer in (system.rest.get(OUTBOX, userId="no-database"), system.rest.get(f"{OUTBOX}/{sent}")):
            assert (answer.status, answer.reason) == (503, "DATABASE_UNAVAILABLE")
        until("messaging says so", lambda: system.rest.get("/readyz").text.count("not serving") == 1)
        assert system.messaging.is_running
    finally:
        system.messaging_database.open()
    assert system.traces() == before
    until("it sends again", lambda: system.rest.send("no-database", messageId="again").status == 200)


def test_with_the_carrier_down_nothing_is_sent(system: System) -> None:
    before = {name: count for name, count in system.traces().items() if name != "submits"}
    taken = len(system.phones.taken())
    system.sandbox.kill()
    begun = time.monotonic()
    assert_unavailable(system.rest.send("no-carrier", messageId="no-carrier"), "CARRIER_UNAVAILABLE")
    assert time.monotonic() - begun < 3
    system.sandbox.start()
    after = {name: count for name, count in system.traces().items() if name != "submits"}
    assert (after, len(system.phones.taken())) == (before, taken)
    until("it sends again", lambda: system.rest.send("no-carrier", messageId="no-carrier").status == 200)


def test_a_scheduled_one_is_taken_while_the_carrier_is_down(system: System) -> None:
    system.sandbox.kill()
    due = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    answer = system.rest.send("waits", scheduleTimestamp=due)
    assert (answer.status, answer.entry["deliveryState"]) == (202, "scheduled")
    system.sandbox.start()
    system.wait_for_state(answer.entry["outboxId"], "accepted", "delivered")
    assert system.account("waits") == (-0.8, 0)


def test_with_messaging_down_nothing_is_sent(system: System) -> None:
    system.messaging.kill()
    before = system.traces()
    # The connection that broke is noticed by the first call at the latest.
    until("the gateway knows", lambda: system.rest.get("/readyz").body["parts"]["messaging"] == "unreachable")
    assert_unavailable(system.rest.send("no-messaging"), "MESSAGING_UNAVAILABLE")
    assert system.traces() == before
    assert system.rest.get(f"{COSTS}/current", level="DirectCustomer").status == 200


def test_nothing_private_is_in_any_log_after_all_that(system: System) -> None:
    for process in system.processes:
        assert process.log, f"{process.name} logged nothing"
        assert leaks(process.log) == []
