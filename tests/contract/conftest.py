"""A running system for the tests of the REST contract."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from pricing_service.adapters.migrate import migrate
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.system.fixtures import databases, new_system

__all__ = ["databases", "new_system"]


@pytest.fixture
def empty_pricing_database(database_template: DatabaseTemplate, fresh_database: FreshDatabase) -> Callable[[], str]:
    """Empties one database again and again, and gives its URL."""
    url = fresh_database(template=database_template("pricing_template", migrate))

    def emptied() -> str:
        with psycopg.connect(url) as connection:
            connection.execute("DELETE FROM cost")
            connection.execute("DELETE FROM price_request")
            connection.execute("UPDATE price_epoch SET epoch = 0, changed_at = '-infinity'")
        return url

    return emptied
