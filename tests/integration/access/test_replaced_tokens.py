"""Tokens are replaced while services run: a new one is let in, and one that left the file is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from grpc import aio

from pricing_service.adapters.migrate import migrate
from service_kit.access import identities_file
from service_kit.access.requirement import Access
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.messaging.running_service import service_on
from tests.integration.pricing.conftest import pricing_on
from tests.system.known_callers import KnownCallers, Metadata
from tests.system.messaging_database import empty_database
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import messaging_pb2
from tukupay.sms.pricing.v1 import pricing_pb2

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownCallers:
    monkeypatch.setattr(identities_file, "LOOK_S", 0.05)
    return KnownCallers(tmp_path / "identities.toml")


async def replaced(callers: KnownCallers, old: Metadata, call: Callable[[Metadata], Awaitable[Any]]) -> None:
    """Returns when the service takes a new token, and the old one no more."""

    async def is_let_in(shown: Metadata) -> bool:
        try:
            await call(shown)
        except aio.AioRpcError:
            return False
        return True

    async def is_new_let_in() -> bool:
        return await is_let_in(new)

    async def is_old_refused() -> bool:
        return not await is_let_in(old)

    assert await is_let_in(old)
    new = callers.add("new", "*")
    await eventually("the new token is let in", is_new_let_in)
    assert await is_let_in(old)
    callers.remove("old")
    await eventually("the old token is refused", is_old_refused)
    assert await is_let_in(new)


async def test_at_messaging(
    callers: KnownCallers, postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate
) -> None:
    old = callers.add("old", "*")
    url = empty_database(postgres_server, database_template)
    asked = messaging_pb2.ListErrorCodesRequest(page_size=1)
    async with service_on(url, access=Access.REQUIRED, identities_file=callers.path) as service:
        await replaced(callers, old, lambda shown: service.sms.ListErrorCodes(asked, metadata=shown))


async def test_at_pricing(
    callers: KnownCallers, database_template: DatabaseTemplate, fresh_database: FreshDatabase
) -> None:
    old = callers.add("old", "*")
    url = fresh_database(template=database_template("pricing_template", migrate))
    asked = pricing_pb2.ListCostsRequest(level=pricing_pb2.COST_LEVEL_TUKUPAY)
    async with pricing_on(url, access=Access.REQUIRED, identities_file=callers.path) as pricing:
        await pricing.until_serving()
        await replaced(callers, old, lambda shown: pricing.stub.ListCosts(asked, metadata=shown))
