"""A service whose tables are older than its code does not serve, and says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from structlog.testing import capture_logs

from messaging_service.shared.postgres.session_guards import GUARDS as MESSAGING_GUARDS
from messaging_service.wiring import migrate as messaging
from pricing_service.adapters import migrate as pricing
from pricing_service.adapters.pricing_session_guards import GUARDS as PRICING_GUARDS
from service_kit.postgres.guards import Guards, set_guards
from service_kit.postgres.migrations import head, upgrade
from tests.conftest import FreshDatabase
from tests.integration.messaging.running_service import service_on
from tests.integration.messaging.test_messaging_outages import until_serving
from tests.integration.pricing.conftest import pricing_on
from tests.system.waiting import eventually

Health = Callable[[bool], Awaitable[None]]
"""Returns when a service says that it serves, or that it does not."""


@asynccontextmanager
async def messaging_health(url: str) -> AsyncIterator[Health]:
    async with service_on(url) as service:
        yield lambda serving: until_serving(service, serving=serving)


@asynccontextmanager
async def pricing_health(url: str) -> AsyncIterator[Health]:
    async with pricing_on(url) as service:
        yield lambda serving: service.until_serving() if serving else service.until_not_serving()


SERVICES: Mapping[str, tuple[Any, Guards, Any]] = {
    "messaging": (messaging, MESSAGING_GUARDS, messaging_health),
    "pricing": (pricing, PRICING_GUARDS, pricing_health),
}


def before_head(folder: Path) -> str:
    """The revision of the release before the newest migration."""
    revisions = [step.revision for step in ScriptDirectory(str(folder)).walk_revisions()]
    assert revisions[0] == head(folder)
    return revisions[1]


async def problem(logs: Sequence[Mapping[str, Any]]) -> str:
    """The first reason in the log not to serve."""

    async def found() -> list[str]:
        return [entry["problem"] for entry in logs if entry["event"] == "service.not_serving"]

    return (await eventually("the log says why", found))[0]


@pytest.mark.parametrize("name", list(SERVICES))
async def test_an_older_schema_is_not_served_until_it_is_migrated(fresh_database: FreshDatabase, name: str) -> None:
    service, guards, health = SERVICES[name]
    url, older = fresh_database(), before_head(service.MIGRATIONS)
    await asyncio.to_thread(upgrade, url, service.MIGRATIONS, MetaData(), older)
    set_guards(url, guards)
    with capture_logs() as logs:
        async with health(url) as says, asyncio.timeout(60):
            await says(False)
            told = await problem(logs)
            assert f"is at migration {older} and needs {head(service.MIGRATIONS)}" in told
            assert "run `tukupay-sms migrate`" in told
            assert "service.serving" not in {entry["event"] for entry in logs}
            await asyncio.to_thread(service.migrate, url)
            await says(True)


@pytest.mark.parametrize("name", list(SERVICES))
async def test_a_schema_without_guards_is_not_served_until_it_is_migrated(
    fresh_database: FreshDatabase, name: str
) -> None:
    service, guards, health = SERVICES[name]
    url = fresh_database()
    await asyncio.to_thread(upgrade, url, service.MIGRATIONS, MetaData())
    with capture_logs() as logs:
        async with health(url) as says, asyncio.timeout(60):
            await says(False)
            told = await problem(logs)
            for setting in guards:
                # The server of the tests keeps this one by itself.
                assert (f"{setting} is " in told) is (setting != "timezone")
            assert "run `tukupay-sms migrate`" in told
            assert """SET "statement_timeout" = '30s';""" in told
            assert "service.serving" not in {entry["event"] for entry in logs}
            await asyncio.to_thread(service.migrate, url)
            await says(True)
