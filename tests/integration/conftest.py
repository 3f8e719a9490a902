"""What all tests against real things in one process share."""

from __future__ import annotations

import pytest

from service_kit import readiness


@pytest.fixture(autouse=True)
def _looks_at_its_database_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test waits a second for a service in its own process to see that its database has changed."""
    monkeypatch.setattr(readiness, "CHECK_EVERY_S", 0.1)
