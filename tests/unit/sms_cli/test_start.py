"""What every command costs, and what it finds, before it does anything."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from sms_cli.shared import local_settings as settings
from sms_cli.shared.local_settings import RUNNING_FILE, client_settings, running_home


def said(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sms_cli", *arguments], capture_output=True, text=True, check=False)


def test_the_version_is_that_of_the_package() -> None:
    assert said("--version").stdout == f"tukupay-sms {version('tukupay-sms')}\n"


def test_help_names_a_type_only_where_a_value_is_taken() -> None:
    shown = said("costs", "set", "--help").stdout
    assert "<bool>" not in shown
    assert "--customer <str>" in shown


def test_commands_load_neither_a_database_driver_nor_what_only_up_needs() -> None:
    program = (
        "import sys, sms_cli.application; "
        "print([name for name in ('psycopg', 'sqlalchemy', 'alembic', 'starlette', 'httpx') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_a_command_finds_the_system_that_runs_above_its_folder_or_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "work" / "deep"
    deep.mkdir(parents=True)
    checkout = tmp_path / "checkout"
    monkeypatch.setattr(settings, "_CHECKOUT", checkout)
    monkeypatch.chdir(deep)
    assert running_home() == Path(".tukupay")

    for root, port in ((checkout, 7001), (tmp_path / "work", 7002)):
        home = root / ".tukupay"
        home.mkdir(parents=True)
        (home / RUNNING_FILE).write_text(f"MESSAGING_GRPC_ADDRESS=127.0.0.1:{port}\n")
        assert running_home() == home
        assert client_settings({}).messaging.port == port
    assert client_settings({"TUKUPAY_HOME": str(checkout / ".tukupay")}).messaging.port == 7001


def test_an_error_beside_json_is_json_on_standard_error() -> None:
    address = "127.0.0.1:1"
    answer = subprocess.run(
        [sys.executable, "-m", "sms_cli", "accounts", "show", "shop", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={"MESSAGING_GRPC_ADDRESS": address, "TUKUPAY_HOME": "/nonexistent"},
    )
    assert (answer.returncode, answer.stdout) == (1, "")

    error = json.loads(answer.stderr)["error"]
    assert error["message"] == f"messaging does not answer at {address}"
    assert error["exitCode"] == 1
    assert "MESSAGING_GRPC_ADDRESS" in error["remedy"]


def test_a_payment_that_is_none_is_refused_as_an_amount() -> None:
    refused = said("accounts", "top-up", "shop", "-3", "--reference", "x")
    assert refused.returncode == 2
    assert "-3 is not above 0" in refused.stderr
    assert "accounts adjust" in refused.stderr
