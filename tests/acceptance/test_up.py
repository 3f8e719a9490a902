"""`tukupay-sms up`: one command from nothing to a message on a phone, and back to nothing."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sms_cli.shared.local_settings import read_running_file
from tests.acceptance.local_system import READY, LocalSystem, eventually, free_addresses
from tests.system.exposition import Figures

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[LocalSystem]:
    made = LocalSystem(tmp_path / "home", free_addresses())
    yield made
    made.clean_up()


def printed_request(system: LocalSystem) -> dict[str, Any]:
    """The body of the curl that `up` printed."""
    text = "".join(system.output)
    words = shlex.split(text[text.index("curl ") : text.index("Then look at")].replace("\\\n", " "))
    assert f"http://{system.addresses['GATEWAY_HTTP_ADDRESS']}/api/sms/send" in words
    body: dict[str, Any] = json.loads(words[words.index("-d") + 1])
    return body


def test_the_printed_request_gets_the_documented_answer_and_reaches_the_phone(running: LocalSystem) -> None:
    status, answer = running.http("GATEWAY_HTTP_ADDRESS", "/api/sms/send", printed_request(running))
    assert (status, answer["status"], answer["message"]) == (200, "success", "SMS sent successfully.")
    entry = answer["outboxEntry"]
    assert (entry["smsUnitsUsed"], entry["costPerUnit"], entry["totalCost"]) == (1, 0.6, 0.6)
    assert (entry["messageId"], entry["status"], entry["retryCount"]) == ("msg123", "sent", 0)

    shown = running.run("phone", "+254712345678", "--json")
    assert [message["text"] for message in json.loads(shown.stdout)["messages"]].count(entry["message"]) == 1
    assert "OTP" in running.run("phone", "+254712345678").stdout
    assert "+254712345678" in running.run("phone").stdout


def test_everything_serves_and_says_so(running: LocalSystem) -> None:
    outcome = running.run("status", "--json")
    assert outcome.returncode == 0, outcome.stderr
    parts = {part["part"]: part["detail"] for part in json.loads(outcome.stdout)}
    assert parts == dict.fromkeys(
        ("pricing database", "messaging database", "pricing", "sandbox", "messaging", "gateway"), "serving"
    )


@pytest.mark.parametrize("service", ["PRICING", "MESSAGING", "GATEWAY"])
def test_every_service_exports_its_figures_at_the_address_that_is_recorded(running: LocalSystem, service: str) -> None:
    recorded = read_running_file(running.home / "running.env")[f"{service}_METRICS_ADDRESS"]
    assert f"http://{recorded}/metrics" in "".join(running.output)
    figures = Figures(httpx.get(f"http://{recorded}/metrics", trust_env=False).raise_for_status().text)
    assert figures("process_resident_memory_bytes") > 10_000_000
    assert figures.own


def test_an_sms_is_sent_from_the_terminal(running: LocalSystem) -> None:
    outcome = running.run("send", "--to", "+254722000111", "--text", "From the terminal", "--json")
    assert outcome.returncode == 0, outcome.stderr
    entry = json.loads(outcome.stdout)
    assert (entry["status"], entry["totalCost"], entry["billing"]) == ("sent", "0.6", "charged")
    assert "accepted" in running.run("send", "--to", "+254722000111", "--text", "Again").stdout


def test_a_refused_request_names_the_field_at_the_terminal(running: LocalSystem) -> None:
    refused = running.run("send", "--to", "+254700000001", "--text", "Refused", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["status"]) == (1, "failed")
    outcome = running.run("send", "--to", "0712", "--text", "hello")
    assert outcome.returncode == 1
    assert "recipient_phone_number" in outcome.stderr
    assert "nothing was stored or charged" in outcome.stderr


def test_prices_are_set_and_shown_at_the_terminal(running: LocalSystem) -> None:
    seeded = json.loads(running.run("costs", "current", "SpecificCustomer", "--customer", "cust123", "--json").stdout)
    assert (seeded["price"], seeded["createdBy"]) == ("0.7", "tukupay-sms up")
    outcome = running.run(
        *("costs", "set", "SpecificCustomer", "0.55", "--customer", "cust777", "--reason", "trial", "--by", "amina")
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "0.55" in outcome.stdout
    assert "amina" in running.run("costs", "history", "SpecificCustomer", "--customer", "cust777").stdout
    refused = running.run("costs", "set", "SpecificCustomer", "0.55", "--customer", "cust777")
    assert refused.returncode == 1
    assert "reason" in refused.stderr


def test_a_migration_of_a_running_system_finds_its_databases(running: LocalSystem) -> None:
    outcome = running.run("migrate", "all")
    assert outcome.returncode == 0, outcome.stderr
    assert "messaging: its database is up to date" in outcome.stdout


def test_a_second_up_says_that_one_is_running(running: LocalSystem) -> None:
    outcome = running.run("up")
    assert outcome.returncode == 1
    assert "already running" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("module", ["pricing_service", "messaging_service", "gateway_http"])
def test_a_killed_service_comes_back(running: LocalSystem, module: str) -> None:
    killed = running.pid_of(module)
    running.kill(killed)
    part = module.split("_", maxsplit=1)[0]
    assert "signal 9" in running.wait_for_part("died", part)
    running.wait_until_back(part)
    assert running.pid_of(module) != killed


def test_a_killed_database_comes_back_with_what_was_committed(running: LocalSystem) -> None:
    server = int((running.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    running.kill(server)
    running.wait_until_back("postgres")
    assert eventually(lambda: running.run("status").returncode == 0)
    current = running.run("costs", "current", "SpecificCustomer", "--customer", "user123", "--json")
    assert json.loads(current.stdout)["price"] == "0.6"


def test_ctrl_c_stops_everything_in_order_and_data_survives(system: LocalSystem) -> None:
    system.up()
    assert "costs" in "".join(system.output)
    request = printed_request(system)
    _, first = system.http("GATEWAY_HTTP_ADDRESS", "/api/sms/send", request)
    assert system.down() == 0
    assert eventually(lambda: not system.processes())
    system.wait_for("has stopped")
    stops = [line.split()[1] for line in system.output if line.startswith("  stop ")]
    assert stops == ["gateway", "messaging", "sandbox", "pricing", "postgres"]
    assert not (system.home / "running.env").exists()

    system.up()
    # Prices are there already, and so is the message: the same request again is the same entry.
    assert "example prices" not in "".join(system.output)
    _, again = system.http("GATEWAY_HTTP_ADDRESS", "/api/sms/send", request)
    assert "outboxEntry" in again, again
    assert again["outboxEntry"]["outboxId"] == first["outboxEntry"]["outboxId"]
    system.signal(signal.SIGTERM)
    assert system.wait() == 0


def test_nothing_outlives_a_killed_up_and_the_next_one_starts(system: LocalSystem) -> None:
    system.up()
    assert len(system.processes()) > 5
    system.signal(signal.SIGKILL)
    system.wait()
    assert eventually(lambda: not system.processes())
    system.up()
    assert system.down() == 0


def test_ctrl_c_during_the_start_stops_it(system: LocalSystem) -> None:
    system.start()
    system.wait_for("starts")
    assert system.down() == 0
    assert eventually(lambda: not system.processes())


def test_a_taken_port_is_an_error_before_anything_is_started(tmp_path: Path) -> None:
    addresses = free_addresses()
    host, port = addresses["GATEWAY_HTTP_ADDRESS"].split(":")
    system = LocalSystem(tmp_path / "home", addresses)
    with socket.create_server((host, int(port))):
        system.start()
        system.wait_for(f"127.0.0.1:{port} (GATEWAY_HTTP_ADDRESS) is taken by another program")
        system.wait_for("GATEWAY_HTTP_ADDRESS=127.0.0.1:")
        assert system.wait() == 1
    assert not (system.home / "postgres").exists()


LAUNCHER = """
import ctypes, os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.umask(0)
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""As `nohup` in a shell with a careless umask starts it, as the heir of orphans that process 1 of a container is."""


def test_up_outlives_its_terminal_and_reaps_what_a_killed_database_leaves(system: LocalSystem) -> None:
    system.start(sys.executable, "-c", LAUNCHER)
    system.wait_for(READY)
    assert stat.S_IMODE((system.home / "logs").stat().st_mode) == 0o700
    system.signal(signal.SIGHUP)
    (postmaster,) = (pid for pid, command in system.processes().items() if "/postgres -D" in command)
    children = {pid for pid, command in system.processes().items() if command.startswith("postgres:")}
    assert len(children) > 3
    system.kill(postmaster)
    system.wait_for_part("back", "postgres")
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    assert system.http("GATEWAY_HTTP_ADDRESS", "/healthz")[0] == 200
    assert system.down() == 0
