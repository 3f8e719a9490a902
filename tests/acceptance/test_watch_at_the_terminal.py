"""Watching at the terminal: live, interrupted, gone on with, and through the death of the service."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from tests.acceptance.local_system import LocalSystem

pytestmark = pytest.mark.timeout(120)


def watching(system: LocalSystem, *arguments: str) -> subprocess.Popen[str]:
    """A watch that is open."""
    process = system.begin("watch", *arguments, "--json")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("watching ")
    return process


def next_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    event: dict[str, Any] = json.loads(process.stdout.readline())
    return event


def sent(system: LocalSystem, message_id: str, user: str) -> str:
    """Sends one and gives its outbox id."""
    outcome = system.run(
        "send", "--to", "+254712345678", "--text", "Hello", "--message-id", message_id, "--user", user, "--json"
    )
    assert outcome.returncode == 0, outcome.stderr
    outbox_id: str = json.loads(outcome.stdout)["outboxId"]
    return outbox_id


def states_of(process: subprocess.Popen[str], message_id: str, last: str) -> list[str]:
    """What a message goes through up to a state; no other message may be among it."""
    found: list[str] = []
    while not found or found[-1] != last:
        event = next_event(process)
        assert event["messageId"] == message_id
        found.append(event["toState"])
    return found


def interrupted(process: subprocess.Popen[str], user: str, number: signal.Signals = signal.SIGINT) -> str:
    """Ends a watch, as Ctrl-C does unless told otherwise, and gives the cursor to go on from."""
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"to go on from here: tukupay-sms watch --user {user} --resume " in told
    return told.rsplit(" ", 1)[1].strip()


def test_a_watch_shows_what_happens_and_goes_on_later_without_a_gap(running: LocalSystem) -> None:
    process = watching(running, "--user", "watched")
    sent(running, "live", "watched")
    assert states_of(process, "live", "delivered") == ["submitting", "accepted", "delivered"]
    cursor = interrupted(process, "watched")
    missed = sent(running, "missed", "watched")
    again = watching(running, "--user", "watched", "--resume", cursor)
    assert states_of(again, "missed", "delivered") == ["submitting", "accepted", "delivered"]
    interrupted(again, "watched", signal.SIGTERM)
    alone = running.run("watch", missed)
    assert alone.returncode == 0
    assert alone.stdout == f"{missed} is delivered\n"


def test_a_watch_outlives_the_service(running: LocalSystem) -> None:
    process = watching(running, "--user", "watched-on")
    sent(running, "before the kill", "watched-on")
    assert states_of(process, "before the kill", "delivered")[-1] == "delivered"
    running.kill(running.pid_of("messaging_service"))
    assert process.stderr is not None
    assert "watching again" in process.stderr.readline()
    running.wait_until_back("messaging")
    sent(running, "after the kill", "watched-on")
    assert states_of(process, "after the kill", "delivered") == ["submitting", "accepted", "delivered"]
    interrupted(process, "watched-on")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "either one OUTBOX_ID or an account"),
        (("outbox_x", "--user", "user123"), "either one OUTBOX_ID or an account"),
        (("outbox_x", "--tag", "OTP"), "leave them out"),
        (("outbox_x",), "there is no outbox entry outbox_x"),
        (("--user", "user123", "--resume", "garbage"), "not a token that this service made"),
    ],
)
def test_a_watch_that_cannot_be_says_why(running: LocalSystem, arguments: tuple[str, ...], words: str) -> None:
    outcome = running.run("watch", *arguments)
    assert outcome.returncode != 0
    assert words in " ".join(outcome.stderr.replace("│", " ").split())
    assert "Traceback" not in outcome.stderr
