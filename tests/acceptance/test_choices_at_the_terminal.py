"""What an operator chooses for an account, and messages that are wanted for a while, at the terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.local_system import LocalSystem

pytestmark = pytest.mark.timeout(120)


def document(system: LocalSystem, *arguments: str) -> Any:
    outcome = system.run(*arguments, "--json")
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


def sent(system: LocalSystem, user: str, *arguments: str) -> dict[str, Any]:
    entry: dict[str, Any] = document(
        system, "send", "--to", "+254712345678", "--text", "Hello", "--user", user, *arguments
    )
    return entry


def test_an_account_is_shown_and_changed(running: LocalSystem) -> None:
    entry = sent(running, "terminal-1")
    before = document(running, "accounts", "show", "terminal-1")
    assert (before["mode"], before["posted"], before["held"]) == ("postpaid", "-" + entry["totalCost"], "0")
    assert before["resendUnknown"] is False
    assert document(running, "accounts", "set", "terminal-1", "--resend-unknown")["resendUnknown"] is True
    assert document(running, "accounts", "show", "terminal-1") == before | {"resendUnknown": True}
    assert document(running, "accounts", "set", "terminal-1", "--no-resend-unknown") == before


@pytest.mark.parametrize("arguments", [("show", "nobody"), ("set", "nobody", "--resend-unknown")])
def test_an_account_that_does_not_exist_is_named(running: LocalSystem, arguments: tuple[str, ...]) -> None:
    outcome = running.run("accounts", *arguments)
    assert outcome.returncode == 1
    assert "nobody" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_message_is_sent_with_the_end_of_its_validity(running: LocalSystem) -> None:
    expires = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)
    entry = sent(running, "terminal-2", "--expires", expires.isoformat())
    assert entry["status"] == "sent"
    assert datetime.fromisoformat(entry["expiresAt"]) == expires


def test_an_end_that_has_passed_is_refused_by_name(running: LocalSystem) -> None:
    past = datetime.now(UTC) - timedelta(minutes=5)
    outcome = running.run("send", "--to", "+254712345678", "--text", "Hello", "--expires", past.isoformat())
    assert outcome.returncode == 1
    assert "expires_time" in outcome.stderr
