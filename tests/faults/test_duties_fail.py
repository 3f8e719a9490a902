"""Duties of messaging: one that fails is counted and tried again; one that cannot go on ends its process.

Whatever the others do then, and the next process goes on.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service_kit.process import ENDING_S
from tests.faults.callers import sending
from tests.system.fixtures import NewSystem
from tests.system.rest import SEND, new_phone, sms
from tests.system.running import System
from tests.system.waiting import DEADLINE_S, until

DRAIN_S = 0.5
FAILING = ["-m", "tests.faults.failing_duty"]
STUCK = ["-m", "tests.faults.stuck_flush"]
FAILS = """
    CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'invalid page in block 3' USING ERRCODE = 'XX001'; END
    $$;
    CREATE TRIGGER damaged BEFORE UPDATE OR DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION damaged()
"""
REPAIRED = "DROP TRIGGER damaged ON receipt; DROP FUNCTION damaged()"


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    made = new_system(GATEWAY_OUTCOME_WAIT_S="2", MESSAGING_DRAIN_S=str(DRAIN_S))
    made.start()
    made.rest.set_cost("DirectCustomer", 0.8)
    return made


def stop_and_forget(system: System) -> None:
    """No messaging runs, and its log is empty."""
    if system.messaging.is_running:
        system.messaging.stop()
        system.messaging.log_file.unlink()


def failures(system: System, duty: str) -> float:
    (count,) = re.findall(
        rf'^tukupay_duty_failures_total{{duty="{duty}"}} (\S+)$', system.metrics("messaging"), re.MULTILINE
    )
    return float(count)


def test_a_damaged_table_fails_its_duty_alone_which_goes_on_when_it_is_repaired(system: System) -> None:
    pids = [process.pid for process in system.processes]
    system.messaging_database.run(FAILS)
    answer = system.rest.send("damaged", recipientPhoneNumber=new_phone())
    assert answer.status == 200
    until("the duty failed several times", lambda: failures(system, "receipts") >= 3)
    assert system.rest.is_ready()
    assert system.state(answer.entry["outboxId"]) == "accepted"

    system.messaging_database.run(REPAIRED)
    system.wait_for_state(answer.entry["outboxId"], "delivered")
    assert [process.pid for process in system.processes if process.is_running] == pids


def test_a_column_that_gets_another_type_stops_nothing_for_longer_than_a_moment(system: System) -> None:
    def send_and_queue() -> list[str]:
        sent = system.rest.send("types")
        # Scheduled, if only in the past: such a message goes through the queue and its claims.
        queued = system.rest.send("types", scheduleTimestamp="2024-01-01T00:00:00Z")
        assert {sent.status, queued.status} <= {200, 202}, (sent.text, queued.text)
        return [sent.entry["outboxId"], queued.entry["outboxId"]]

    for outbox_id in [one for _ in range(5) for one in send_and_queue()]:
        system.wait_for_state(outbox_id, "delivered")
    system.messaging_database.run('ALTER TABLE message ALTER COLUMN "text" TYPE varchar')
    try:
        # Every connection of the pool has plans of its own.
        for outbox_id in [one for _ in range(10) for one in send_and_queue()]:
            system.wait_for_state(outbox_id, "delivered")
    finally:
        system.messaging_database.run('ALTER TABLE message ALTER COLUMN "text" TYPE text')


def test_a_flush_that_is_stuck_ends_its_process_and_the_next_one_goes_on(system: System, tmp_path: Path) -> None:
    stop_and_forget(system)
    file = tmp_path / "now"
    faults = {"FAULT_FILE": str(file), "FAULT_STUCK_S": "1", "FAULT_ENDING_S": "1.5"}
    system.messaging.start(STUCK, **faults)
    assert system.rest.post(SEND, sms("flushed")).status == 200
    file.touch()
    request = sms("stuck", messageId="otp")
    with sending(system.rest, request) as (answer,):
        assert system.messaging.wait(DEADLINE_S) == 1
    told = answer.result()
    assert told is not None
    assert told.status == 503, told.text
    assert "the acceptance flush runs for more than 1 s" in system.messaging.log
    system.messaging.start()
    repeated = system.rest.post(SEND, request)
    assert repeated.entry["status"] == "sent"
    assert "idempotent-replay" not in repeated.headers, "nothing of it had been recorded"
    assert len(system.phones.taken_for(request["recipientPhoneNumber"])) == 1
    stop_and_forget(system)


@pytest.mark.parametrize(
    ("duty", "stubborn", "ending_s"),
    [("receipts", None, ENDING_S), ("dispatch", "sweep", 1.5)],
    ids=["alone", "with one that does not end"],
)
def test_a_duty_that_cannot_go_on_ends_its_process(
    system: System, tmp_path: Path, duty: str, stubborn: str | None, ending_s: float
) -> None:
    stop_and_forget(system)
    file = tmp_path / "now"
    faults = {"FAULT_DUTY": duty, "FAULT_STUBBORN": stubborn or "", "FAULT_FILE": str(file)}
    system.messaging.start(FAILING, **faults, FAULT_ENDING_S=str(ending_s))
    assert system.rest.post(SEND, sms("before")).status == 200
    file.touch()
    assert system.messaging.wait(DRAIN_S + ending_s + 2) == 1
    assert f'"duty": "{duty}"' in system.messaging.log
    assert ("service.stuck" in system.messaging.log) == (stubborn is not None)
    system.messaging.start()
    assert system.rest.post(SEND, sms("after")).status == 200
    stop_and_forget(system)
