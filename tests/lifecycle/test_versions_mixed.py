"""The release before and this one at the same time, on the new schema, under load; forward and back again."""

from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import FreshDatabase
from tests.faults.callers import check_every_promise
from tests.lifecycle.conftest import FleetOn, price_everybody
from tests.lifecycle.fleet import CURRENT, KINDS, Release
from tests.lifecycle.load import Load
from tests.lifecycle.test_replaced_under_load import say, words
from tests.system.databases import Database
from tests.system.effort import IS_LONG
from tests.system.rest import SEND, Rest

pytestmark = [
    pytest.mark.skipif(not IS_LONG, reason="takes minutes; `make lifecycle-test` runs it"),
    pytest.mark.timeout(1_800),
]
SETTLE_S = 10
NO_FAREWELL = "503 MESSAGING_INTERRUPTED"
"""What a send may be answered that is on its way to a server as that one stops, where either side is of the release
before: that does not tell its callers early enough, and does not listen. Asked again with the same id, the caller is
told what became of it."""


def test_an_upgrade_and_its_rollback_fail_no_call(
    postgres_server: EmbeddedPostgres, fresh_database: FreshDatabase, fleet_on: FleetOn, previous_release: Release
) -> None:
    urls = {service: fresh_database() for service in ("pricing", "messaging")}
    environ = {**os.environ, **{f"{service.upper()}_DATABASE_URL": url for service, url in urls.items()}}
    migrate = [str(previous_release.python.parent / "tukupay-sms"), "migrate", "all"]
    subprocess.run(migrate, cwd=previous_release.folder, env=environ, check=True, timeout=120)
    fleet = fleet_on({service: Database(postgres_server, service, url) for service, url in urls.items()})
    fleet.start(dict.fromkeys(KINDS, 3), previous_release)
    price_everybody(fleet)
    with Load("versions", fleet.gateways) as load:
        with load.phase("old code on the old schema") as phase:
            load.run(SETTLE_S)
        say(phase)
        with load.phase("migrated below old code") as phase:
            asyncio.run(asyncio.to_thread(migrate_pricing, urls["pricing"]))
            asyncio.run(asyncio.to_thread(migrate_messaging, urls["messaging"]))
            load.run(2 * SETTLE_S)
        say(phase)
        for words_of, release in (("to the new release", CURRENT), ("back to the old release", previous_release)):
            # The gateway first: new before old services, and on the way back old before new ones.
            for kind in ("gateway", "messaging", "pricing"):
                with load.phase(f"{kind} {words_of}") as phase:
                    fleet.roll(kind, release)
                    load.run(SETTLE_S)
                say(phase)
    interrupted = [
        failed
        for phase in load.phases
        if phase.name in {"messaging to the new release", "messaging back to the old release"}
        for failed in phase.failures
        if failed.failure == NO_FAREWELL
    ]
    others = [failed for phase in load.phases for failed in phase.failures if failed not in interrupted]
    assert words(others) == []
    rest = Rest(f"http://{fleet.gateways()[0]}")
    for failed in interrupted:
        assert rest.post(SEND, load.requests[failed.message_id]).status in {200, 202}
    rest.close()
    print("phase", f"{len(interrupted)} interrupted with an old release on either side, and told when asked again")  # noqa: T201
    check_every_promise(fleet, load)
