"""A service whose tables are older than its code does not serve, and says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from structlog.testing import capture_logs

from messaging_service.shared.postgres.session_guards import GUARDS as MESSAGING_GUARDS
from messaging_service.wiring import migrate as messaging
from pricing_service.adapters import migrate as pricing
from pricing_service.adapters.pricing_session_guards import GUARDS as PRICING_GUARDS
from service_kit import readiness
from service_kit.postgres.guards import Guards, set_guards
from service_kit.postgres.migrations import upgrade
from service_kit.postgres.revisions import read_revisions
from service_kit.settings import Address
from service_kit.web.probe_listener import LIVE, READY, STARTED
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.messaging.running_service import service_on
from tests.integration.messaging.test_messaging_outages import until_serving
from tests.integration.pricing.conftest import pricing_on
from tests.system.ports import free_port
from tests.system.waiting import eventually

Health = Callable[[bool], Awaitable[None]]
"""Returns when a service says that it serves, or that it does not."""


@asynccontextmanager
async def messaging_health(url: str, **choices: Any) -> AsyncIterator[Health]:
    async with service_on(url, **choices) as service:
        yield lambda serving: until_serving(service, serving=serving)


@asynccontextmanager
async def pricing_health(url: str, **choices: Any) -> AsyncIterator[Health]:
    async with pricing_on(url, **choices) as service:
        yield lambda serving: service.until_serving() if serving else service.until_not_serving()


SERVICES: Mapping[str, tuple[Any, Guards, Any]] = {
    "messaging": (messaging, MESSAGING_GUARDS, messaging_health),
    "pricing": (pricing, PRICING_GUARDS, pricing_health),
}


def before_head(folder: Path) -> str:
    """The revision of the release before the newest migration."""
    revisions = [step.revision for step in ScriptDirectory(str(folder)).walk_revisions()]
    assert revisions[0] == read_revisions(folder).head
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
            assert f"is at migration {older} and needs {read_revisions(service.MIGRATIONS).head}" in told
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


async def probed(port: int) -> dict[str, tuple[int, str]]:
    """What each probe answers."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        answers = {path: await http.get(path) for path in (LIVE, READY, STARTED)}
    return {path: (answer.status_code, answer.text.strip()) for path, answer in answers.items()}


@pytest.mark.parametrize("name", list(SERVICES))
async def test_a_service_waits_for_the_first_migration_and_serves_newer_ones_that_are_for_it(
    fresh_database: FreshDatabase, database_template: DatabaseTemplate, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(readiness, "CHECK_EVERY_S", 0.05)
    service, _, health = SERVICES[name]
    url, port = fresh_database(template=database_template(f"{name}_template", service.migrate)), free_port()
    needed = read_revisions(service.MIGRATIONS).head
    # As long as the migrations have not said what they did, they did nothing.
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("ALTER TABLE alembic_version RENAME TO not_yet")
    async with health(url, probes_address=Address("127.0.0.1", port)) as says, asyncio.timeout(60):
        await says(False)
        reason = (
            f"the database is at migration none and needs {needed}: run `tukupay-sms migrate`; "
            "this service waits for it"
        )
        await eventually("the start is held up by the schema", lambda: holds(port, {STARTED: (503, reason)}))
        assert (await probed(port))[LIVE] == (200, "ok")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
            await database.execute("ALTER TABLE not_yet RENAME TO alembic_version")
            await says(True)
            assert await probed(port) == dict.fromkeys((LIVE, READY, STARTED), (200, "ok"))
            await database.execute("UPDATE alembic_version SET version_num = '9001'")
            await database.execute(f"COMMENT ON TABLE alembic_version IS 'oldest code: {needed}'")
            await says(True)
            await database.execute("COMMENT ON TABLE alembic_version IS 'oldest code: 9001'")
            reason = (
                f"the database is at migration 9001, which is for code of migration 9001 or newer, and this is code of "
                f"{needed}: run a newer release"
            )
            await eventually("the newer schema is refused", lambda: holds(port, {READY: (503, reason)}))
            assert (await probed(port))[STARTED] == (200, "ok")


async def holds(port: int, wanted: Mapping[str, tuple[int, str]]) -> bool:
    """Whether the probes answer that, among others."""
    return wanted.items() <= (await probed(port)).items()
