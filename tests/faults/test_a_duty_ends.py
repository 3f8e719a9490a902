"""A duty of messaging that cannot go on ends its process, whatever the others do, and the next process goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from service_kit.process import ENDING_S
from tests.system.fixtures import NewSystem
from tests.system.rest import SEND, sms
from tests.system.running import System

DRAIN_S = 1.0
FAILING = [sys.executable, "-m", "tests.faults.failing_duty"]


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    made = new_system(MESSAGING_DRAIN_S=str(DRAIN_S), PYTHONPATH=str(Path(__file__).parents[2]))
    made.start(without_messaging=True)
    made.rest.set_cost("DirectCustomer", 0.8)
    return made


@pytest.mark.parametrize(
    ("duty", "stubborn"),
    [("receipts", None), ("dispatch", "sweep")],
    ids=["alone", "with one that does not end"],
)
def test_a_duty_that_cannot_go_on_ends_its_process(
    system: System, tmp_path: Path, duty: str, stubborn: str | None
) -> None:
    file = tmp_path / "now"
    system.messaging.start(FAILING, FAULT_DUTY=duty, FAULT_FILE=str(file), FAULT_STUBBORN=stubborn or "")
    assert system.rest.post(SEND, sms("before")).status == 200
    file.touch()
    assert system.messaging.wait(DRAIN_S + ENDING_S + 2) == 1
    assert f'"duty": "{duty}"' in system.messaging.log
    assert ("service.stuck" in system.messaging.log) == (stubborn is not None)
    system.messaging.start()
    assert system.rest.post(SEND, sms("after")).status == 200
    system.messaging.stop()
    system.messaging.log_file.unlink()
