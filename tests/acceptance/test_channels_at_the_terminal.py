"""What people are told through channels that are managed at the terminal, and what of it outlives a crash."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sms_cli.application import application
from sms_cli.shared.command_error import CommandError
from tests.system.fixtures import NewSystem
from tests.system.privacy import CHANNEL_SECRET, leaks
from tests.system.running import System
from tests.system.waiting import until

pytestmark = pytest.mark.timeout(180)


class Room:
    """A messenger that takes JSON on a real port."""

    def __init__(self) -> None:
        room = self
        self.texts: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.before_answer: Callable[[], None] = lambda: None

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                room.before_answer()
                self.send_response(204)
                self.end_headers()
                room.texts.put(json.loads(body))

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/{CHANNEL_SECRET}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next_text(self) -> Any:
        return self.texts.get(timeout=60)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.close()


@pytest.fixture(scope="module")
def system(new_system: NewSystem) -> System:
    """A messaging service without the rest; mail goes to a port where nobody listens."""
    made = new_system(
        CHANNEL_SERVICES="json,slack",
        CHANNEL_ALLOWED_NETWORKS="127.0.0.0/8",
        CHANNEL_SMTP_URL=f"smtp://post:{CHANNEL_SECRET}@127.0.0.1:1",
        CHANNEL_EMAIL_FROM="alerts@tukupay.example",
        WEBHOOK_POLL_S="0.1",
    )
    made.messaging.start()
    return made


def run(system: System, *arguments: str, typed: str = "", code: int = 0) -> str:
    """What a command prints, in this process: a terminal of its own takes seconds to start."""
    environment = {"MESSAGING_GRPC_ADDRESS": system.messaging_address, "TUKUPAY_HOME": "/nonexistent"}
    done = CliRunner().invoke(application, ["alerts", "channels", *arguments], input=typed, env=environment)
    printed = done.output
    if isinstance(done.exception, CommandError):
        printed += f"{done.exception}"
    assert done.exit_code == code, printed
    assert not leaks(printed)
    return " ".join(printed.split())


def documents(system: System, *arguments: str) -> Any:
    return json.loads(run(system, *arguments, "--json"))


def listed(system: System, user: str) -> Any:
    return documents(system, "list", "--user", user)


def test_channels_are_added_listed_tested_set_and_removed(system: System, room: Room) -> None:
    assert "terminal has no channels." in run(system, "list", "--user", "terminal")
    added = run(system, "add", "-", "--user", "terminal", "--event", "sms.failed", typed=f"{room.url}\n")
    assert "json://" in added
    mailbox = run(system, "add", "duty@example.com", "--user", "terminal", "--description", "people on duty")
    assert "balance.low" in mailbox
    first, second = listed(system, "terminal")
    assert (first["kind"], first["events"], first["enabled"]) == ("service", ["sms.failed"], True)
    assert (second["kind"], second["target"], second["description"]) == ("email", "duty@example.com", "people on duty")
    assert "delivered" in run(system, "test", first["channelId"])
    assert room.next_text()["title"] == "TukuPay SMS: test (terminal)"
    refused = run(system, "test", second["channelId"], code=1)
    assert "NOT_CONNECTED" in refused
    (entry,) = documents(system, "log", second["channelId"])
    assert (entry["event"], entry["state"], entry["tries"]) == ("channel.test", "pending", 1)
    (delivered,) = documents(system, "log", first["channelId"], "--state", "delivered")
    assert "1 event is sent again." in run(system, "replay", first["channelId"], "--delivery", delivered["deliveryId"])
    assert room.next_text()["title"] == "TukuPay SMS: test (terminal)"
    assert "disabled" in run(system, "set", second["channelId"], "--disable")
    assert "is deleted." in run(system, "remove", second["channelId"])
    assert [one["channelId"] for one in listed(system, "terminal")] == [first["channelId"]]


def test_what_cannot_be_a_channel_is_refused_with_a_reason(system: System) -> None:
    assert "names the service 'syslog', which is not allowed here" in run(system, "add", "syslog://", code=1)
    assert "is not in the public internet" in run(system, "add", "json://10.0.0.1/", code=1)
    assert "is not an email address" in run(system, "add", "duty", code=1)
    assert "is none of" in run(system, "add", "a@b.ke", "--event", "sms.sent", code=2)
    assert "TARGET" in run(system, "add", "-", code=2)


def test_a_text_on_its_way_when_the_service_is_killed_is_told_again(system: System, room: Room) -> None:
    run(system, "add", "-", "--user", "crash", typed=room.url)
    (channel,) = listed(system, "crash")
    processes: list[int] = []

    def kill() -> None:
        room.before_answer = lambda: None
        processes.extend(children_of(system.messaging.pid))
        system.messaging.kill()

    room.before_answer = kill
    run(system, "test", channel["channelId"], code=1)
    until("the service was killed", lambda: bool(processes) and not system.messaging.is_running)
    until("its processes ended with it", lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))
    system.messaging.start()
    # The lease of the process that was killed would end by itself, in a minute.
    system.messaging_database.run("UPDATE webhook_endpoint SET lease_until = now() WHERE owner IS NOT NULL")
    told = [room.next_text()]
    until("it is on record as told", lambda: state_of(system) == "delivered")
    while not room.texts.empty():
        told.append(room.texts.get())
    # Once more than it had to be, where the first answer was under way as the service was killed.
    assert 1 <= len(told) <= 2
    assert {text["title"] for text in told} == {"TukuPay SMS: test (crash)"}


def state_of(system: System) -> Any:
    return system.messaging_database.value(
        "SELECT d.state FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id"
        " WHERE e.account_id = 'crash'"
    )


def children_of(pid: int) -> list[int]:
    """The processes that run apprise for a service."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == pid and b"notices.channels.child" in command:
            found.append(int(path.parent.name))
    return found
