"""SIGKILL of the carrier in the middle of submits: what it took and did not answer is unknown, and ends."""

from __future__ import annotations

import pytest

from tests.faults.callers import Callers, check_every_promise, sending
from tests.system.fixtures import NewSystem
from tests.system.rest import SEND, TEXT, sms
from tests.system.running import System
from tests.system.waiting import until

SLOW = f"{TEXT} [sandbox:slow]"


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    system = new_system(
        SANDBOX_SLOW_ANSWER_S="60",
        SANDBOX_RECEIPT_DELAY_S="60",
        SMS_UNKNOWN_WINDOW_S="2",
        SMS_CARRIER_GRACE_S="2",
    )
    system.start()
    system.rest.set_cost("DirectCustomer", 0.8)
    return system


def test_what_it_took_without_an_answer_is_unknown_and_ends_with_its_window(system: System) -> None:
    requests = [sms("cut", messageId=f"otp-{number}", message=SLOW) for number in range(5)]
    taken = len(system.phones.taken())
    with sending(system.rest, *requests) as answers:
        until("the carrier has them", lambda: len(system.phones.taken()) == taken + 5)
        system.sandbox.kill()
    told = [answer.result() for answer in answers]
    assert {(answer.status, answer.entry["deliveryState"]) for answer in told if answer} == {(202, "unknown")}
    assert system.account("cut") == (0, 4.0)

    system.sandbox.start()
    for request in requests:
        repeated = system.rest.post(SEND, request)
        assert repeated.headers["idempotent-replay"] == "true"
    for answer in told:
        assert answer is not None
        system.wait_for_state(answer.entry["outboxId"], "expired")
        assert system.events(answer.entry["outboxId"]) == ["submitting", "unknown", "expired"]
    assert len(system.phones.taken()) == taken + 5
    assert system.account("cut") == (0, 0)
    system.check_money()


def test_killed_under_load_no_promise_is_broken_and_nothing_is_sent_twice(system: System) -> None:
    with Callers("cut-under-load", [system.rest]) as callers:
        until("some were sent", callers.has_sent(60))
        system.sandbox.kill()
        system.sandbox.start()
        until("it sends again", callers.has_sent(60))
    until("what was open has ended", lambda: open_messages(system) == 0)
    check_every_promise(system, callers)


def open_messages(system: System) -> int:
    """How many messages have not ended."""
    count: int = system.messaging_database.value("SELECT count(*) FROM dispatch")
    return count
