"""Statements that fail for reasons that nothing foresaw: duties are counted, back off and go on; no process ends."""

from __future__ import annotations

import re

import pytest

from tests.system.fixtures import NewSystem
from tests.system.rest import new_phone
from tests.system.running import System
from tests.system.waiting import until

FAILS = """
    CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'invalid page in block 3' USING ERRCODE = 'XX001'; END
    $$;
    CREATE TRIGGER damaged BEFORE UPDATE OR DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION damaged()
"""
REPAIRED = "DROP TRIGGER damaged ON receipt; DROP FUNCTION damaged()"


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    made = new_system(GATEWAY_OUTCOME_WAIT_S="2")
    made.start()
    made.rest.set_cost("DirectCustomer", 0.8)
    return made


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
