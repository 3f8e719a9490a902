"""A running system for the tests of the REST contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate
from tests.system.fixtures import databases, new_system
from tests.system.pricing_database import empty_pricing

__all__ = ["databases", "new_system"]


@pytest.fixture
def empty_pricing_database(postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate) -> Callable[[], str]:
    """Empties one database again and again, and gives its URL."""
    return lambda: empty_pricing(postgres_server, database_template)
