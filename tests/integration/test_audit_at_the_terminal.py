"""`tukupay-sms audit verify` and `audit head`, on databases of their own."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from messaging_service.wiring.chained_messaging_tables import CHAINED_TABLES
from messaging_service.wiring.migrate import migrate
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.postgres.database import create_pool
from service_kit.postgres.hash_chain import HashChains
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.doubles.duty_log import StrictDuties
from tests.system.forked_commands import forked_commands


@pytest.fixture
def urls(fresh_database: FreshDatabase, database_template: DatabaseTemplate) -> dict[str, str]:
    return {
        "MESSAGING_DATABASE_URL": fresh_database(template=database_template("chained_template", migrate)),
        "PRICING_DATABASE_URL": fresh_database(template=database_template("pricing_template", migrate_pricing)),
    }


@pytest.fixture
async def chained(urls: dict[str, str]) -> None:
    """Three entries in the audit log of messaging, chained."""
    url = urls["MESSAGING_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO audit_entry (action, subject, principal, principal_kind) "
            "SELECT 'account.opened', 'user' || g, 'open', 'open' FROM generate_series(1, 3) g"
        )
    async with create_pool(url, "chains", max_size=1) as pool:
        chains = HashChains(pool, CHAINED_TABLES, StrictDuties(), clock=time.monotonic)
        for _ in range(3):
            await chains.chain_once()


def run(home: Path, urls: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked_commands().run(
        ["audit", *arguments], {"TUKUPAY_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200", **urls}
    )


@pytest.mark.usefixtures("chained")
def test_a_row_that_was_changed_is_named_and_the_command_fails(urls: dict[str, str], tmp_path: Path) -> None:
    whole = run(tmp_path, urls, "verify")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.count("whole") == 5
    with psycopg.connect(urls["MESSAGING_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("UPDATE audit_entry SET subject = 'somebody' WHERE id = 2")
    broken = run(tmp_path, urls, "verify", "messaging", "--json")
    assert broken.returncode == 1
    faults = {row["chain"]: row["fault"] for row in json.loads(broken.stdout)}
    assert faults == {"audit": "row 2 of audit_entry was changed", "ledger": None, "events": None}
    assert "the evidence is broken" in broken.stderr


@pytest.mark.usefixtures("chained")
def test_an_anchor_tells_a_chain_that_was_written_anew(urls: dict[str, str], tmp_path: Path) -> None:
    (anchor,) = run(tmp_path, urls, "head").stdout.split()
    assert anchor.startswith("messaging/audit:1:")
    assert run(tmp_path, urls, "verify", "messaging", "--anchor", anchor).returncode == 0
    other = anchor[:-64] + "0" * 64
    refused = run(tmp_path, urls, "verify", "messaging", "--anchor", other, "--json")
    assert refused.returncode == 1
    assert "has another hash than its anchor" in refused.stdout


@pytest.mark.parametrize(
    "anchor",
    ["messaging/costs:1:" + "0" * 64, "ledger:1:ab", "messaging/ledger:x:" + "0" * 64, "messaging/ledger:1:zz"],
)
def test_what_is_no_anchor_is_refused(anchor: str, tmp_path: Path) -> None:
    outcome = run(tmp_path, {}, "verify", "--anchor", anchor)
    assert outcome.returncode == 2
    assert "is no anchor" in outcome.stderr


def test_a_database_that_is_not_known_is_named(tmp_path: Path) -> None:
    outcome = run(tmp_path, {}, "verify", "pricing")
    assert outcome.returncode == 1
    assert "PRICING_DATABASE_URL" in outcome.stderr
