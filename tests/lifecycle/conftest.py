"""Fleets for tests that replace their processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.lifecycle.fleet import Fleet, Release
from tests.system.databases import Database
from tests.system.fixtures import databases
from tests.system.rest import Rest

__all__ = ["databases", "fleet_on", "previous_release"]

PREVIOUS: Final = "TUKUPAY_PREVIOUS_RELEASE"
"""The environment variable with the folder of the release before: a checkout with its `.venv`."""

_OLD_LAUNCHER: Final = """
import runpy, sys
from service_kit.settings import Address
# That release takes no dns:// in its addresses; how it is started is all that changes.
spelled = Address.__str__
Address.__str__ = lambda self: f"{self.host}:{self.port}" if "://" in self.host else spelled(self)
module = sys.argv.pop(1)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

FleetOn = Callable[..., Fleet]


@pytest.fixture
def fleet_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetOn]:
    """Makes a fleet on databases; it is ended with the test, and its books are looked at."""
    fleets: list[Fleet] = []

    def create(own: dict[str, Database], **settings: str) -> Fleet:
        fleets.append(Fleet(tmp_path_factory.mktemp("fleet"), own, **settings))
        return fleets[-1].__enter__()

    yield create
    for fleet in fleets:
        fleet.__exit__(None, None, None)
    for fleet in fleets:
        fleet.check_money()


@pytest.fixture
def previous_release() -> Release:
    folder = os.environ.get(PREVIOUS)
    if not folder:
        pytest.skip(f"{PREVIOUS} names no checkout of the release before")
    path = Path(folder)
    return Release(path / ".venv/bin/python", path, has_probes=False, launcher=_OLD_LAUNCHER)


def price_everybody(fleet: Fleet) -> None:
    """Sets the price that all sends of these tests have."""
    rest = Rest(f"http://{fleet.gateways()[0]}")
    rest.set_cost("DirectCustomer", 0.8)
    rest.close()
