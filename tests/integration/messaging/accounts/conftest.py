"""What tests of accounts share."""

from __future__ import annotations

import pytest

from tests.integration.messaging.accounts.billing_calls import Billing
from tests.integration.messaging.running_service import Running
from tests.system.messaging_database import until_found


@pytest.fixture
def billing(service: Running) -> Billing:
    return Billing(service)


@pytest.fixture
async def minute(database_url: str) -> None:
    """Returns when the minute of the database, and so its hour and day, goes on for 5 s at least."""
    await until_found(database_url, "SELECT 1 WHERE extract(second FROM now()) < 55")
