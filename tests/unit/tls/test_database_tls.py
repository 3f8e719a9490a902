"""A database on another machine is used over TLS with a checked certificate only."""

from __future__ import annotations

import asyncio

import pytest

from messaging_service.wiring.settings.database_settings import DatabaseSettings
from pricing_service.settings import PricingSettings
from service_kit.postgres.database_tls import url_problem
from service_kit.settings import SettingsError, load
from sms_cli.local.migrate_databases import migrate_database
from sms_cli.shared.command_error import CommandError


@pytest.fixture(autouse=True)
def without_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@127.0.0.1:5432/x",
        "postgresql://u:secret@localhost/x",
        "postgresql://u:secret@[::1]/x",
        "postgresql:///x?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/x",
        "postgresql:///x",
        "dbname=x",
        "host=db.example hostaddr=127.0.0.1",
        "postgresql://u:secret@db.example/x?sslmode=verify-full",
        "host=db1.example,db2.example sslmode=verify-full",
    ],
)
def test_what_stays_here_or_is_checked_may_be_used(url: str) -> None:
    assert url_problem(url, "X_DATABASE_TLS") is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://u:secret@db.example/x", "db.example"),
        ("postgresql://u:secret@10.0.0.5/x?sslmode=require", "10.0.0.5"),
        ("postgresql://u:secret@db.example/x?sslmode=verify-ca", "db.example"),
        ("postgresql://u:secret@127.0.0.1,db.example/x", "db.example"),
        ("host=localhost hostaddr=10.0.0.5 password=secret", "10.0.0.5"),
        ("service=billing password=secret", "the host of its service"),
    ],
)
def test_what_leaves_this_machine_unchecked_is_refused_without_its_password(url: str, host: str) -> None:
    said = url_problem(url, "X_DATABASE_TLS")
    assert said is not None
    assert said.startswith(f"{host} is another machine, and its certificate is not checked: add sslmode=verify-full")
    assert "set X_DATABASE_TLS to proxy" in said
    assert "secret" not in said


@pytest.mark.parametrize("url", ["postgresql://u:secret@db.example/x?nothing=such", "u:secret@db.example"])
def test_what_is_no_url_is_not_quoted(url: str) -> None:
    said = url_problem(url, "X_DATABASE_TLS")
    assert said is not None
    assert said.startswith("is no URL")
    assert "secret" not in said


def test_what_the_url_leaves_open_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    assert url_problem("postgresql:///x", "X_DATABASE_TLS") is not None
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert url_problem("postgresql:///x", "X_DATABASE_TLS") is None


def test_a_service_does_not_start_without_unless_told_to() -> None:
    pricing = {"PRICING_DATABASE_URL": "postgresql://u@db.example/x"}
    with pytest.raises(SettingsError, match=r"PRICING_DATABASE_URL: db\.example is another machine"):
        load(PricingSettings, pricing)
    load(PricingSettings, {**pricing, "PRICING_DATABASE_TLS": "proxy"})
    messaging = {
        "MESSAGING_DATABASE_URL": "postgresql://u@127.0.0.1/x",
        "MESSAGING_DATABASE_DIRECT_URL": "postgresql://u@db.example/x",
    }
    with pytest.raises(SettingsError, match=r"MESSAGING_DATABASE_DIRECT_URL: db\.example is another machine"):
        load(DatabaseSettings, messaging)
    load(DatabaseSettings, {**messaging, "MESSAGING_DATABASE_TLS": "proxy"})


def test_migrate_does_not_connect_without_either() -> None:
    with pytest.raises(CommandError, match=r"PRICING_DATABASE_URL: db\.example is another machine"):
        asyncio.run(migrate_database("pricing", {"PRICING_DATABASE_URL": "postgresql://u@db.example/x"}))
