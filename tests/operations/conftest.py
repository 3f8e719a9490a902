"""What operators do to a whole system, in programs of their own: `make failover-test`, `restore-test`, `upgrade-test`.

They take minutes and are not part of the suite; whoever names this folder runs them.
"""

from __future__ import annotations

import pytest

from tests.system import process

READY_S = 120.0
"""Here nothing is said about how soon a process is ready."""


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """Lets a busy machine take its time to start processes."""
    process.READY_S = READY_S
