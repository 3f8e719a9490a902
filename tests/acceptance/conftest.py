"""A running system for acceptance tests over HTTP."""

from __future__ import annotations

import pytest

from tests.system.fixtures import NewSystem, databases, new_system
from tests.system.running import System

__all__ = ["databases", "new_system", "system"]


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    """A system that the tests of a module share, each with accounts of its own. One unit costs 0.8 KES."""
    made = new_system()
    made.start()
    made.rest.set_cost("DirectCustomer", 0.8)
    return made
