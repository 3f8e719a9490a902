"""A running system for acceptance tests over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.local_system import LocalSystem, free_addresses
from tests.system.databases import Databases
from tests.system.fixtures import databases, new_system, systems_on
from tests.system.running import System

__all__ = ["databases", "new_system", "running", "system"]


@pytest.fixture(scope="session")
def system(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that tests share, each with accounts of its own; it stays up. One unit costs 0.8 KES."""
    with systems_on(databases, tmp_path_factory) as create:
        made = create()
        made.start()
        made.rest.set_cost("DirectCustomer", 0.8)
        yield made


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A `tukupay-sms up` that tests share, each with accounts and phones of its own; they leave it running."""
    made = LocalSystem(tmp_path_factory.mktemp("local") / "home", free_addresses())
    try:
        made.up()
        yield made
    finally:
        made.clean_up()
