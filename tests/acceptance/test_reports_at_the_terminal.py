"""Cost reports and exports at the terminal and over REST, on a running system."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sms_cli.settings import RUNNING_FILE, read_running_file
from tests.acceptance.local_system import LocalSystem, free_addresses

pytestmark = pytest.mark.timeout(240)

PERIOD = ("--from", "2020-01-01T00:00:00Z", "--to", "2040-01-01T00:00:00Z")
TODAY = "from=2020-01-01T00:00:00Z&to=2040-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system with three messages of two accounts."""
    made = LocalSystem(tmp_path_factory.mktemp("reports") / "home", free_addresses())
    try:
        made.up()
        for user, tags in (("shop", ["otp", "vip"]), ("shop", []), ("=kiosk", ["otp"])):
            body = {
                "userId": user,
                "recipientPhoneNumber": "+254712345678",
                "message": "Habari",
                "senderId": "TUKUPAY",
                "tags": tags,
            }
            assert made.http("GATEWAY_HTTP_ADDRESS", "/api/sms/send", body)[0] == 200
        yield made
    finally:
        made.clean_up()


def run(system: LocalSystem, *arguments: str, code: int = 0) -> str:
    outcome = system.run("reports", *arguments)
    assert outcome.returncode == code, outcome.stderr
    return outcome.stdout if code == 0 else outcome.stderr


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_terminal_the_file_and_rest_tell_the_same(running: LocalSystem, tmp_path: Path) -> None:
    rows = json.loads(run(running, "costs", *PERIOD, "--by", "account", "--json"))
    assert [(row["account"], row["messages"], row["charged"]) for row in rows] == [
        ("=kiosk", 1, "0.8"),
        ("shop", 2, "1.6"),
    ]
    said = run(running, "costs", *PERIOD, "--by", "account", "--output", str(tmp_path / "costs.csv"))
    assert "2 rows in" in said
    assert "3 messages, 3 units, KES 2.4 charged" in said
    assert [(row["account"], row["charged"]) for row in lines(tmp_path / "costs.csv")] == [
        ("'=kiosk", "0.8"),
        ("shop", "1.6"),
    ]
    status, report = running.http("GATEWAY_HTTP_ADDRESS", f"/api/sms/reports/costs?{TODAY}&groupBy=account")
    assert (status, [row["charged"] for row in report["rows"]], report["totals"]["charged"]) == (200, [0.8, 1.6], 2.4)


def test_a_report_by_tag_says_that_messages_count_more_than_once(running: LocalSystem) -> None:
    said = run(running, "costs", *PERIOD, "--by", "tag")
    assert "(none)" in said
    assert "in all: 3 messages" in said
    assert "counts in the row of each of its tags" in said


def test_an_export_has_no_text_and_phone_numbers_in_part(running: LocalSystem, tmp_path: Path) -> None:
    assert "3 messages in" in run(running, "messages", *PERIOD, "--output", str(tmp_path / "out.csv"))
    rows = lines(tmp_path / "out.csv")
    assert [row["charged"] for row in rows] == ["0.8"] * 3
    assert {row["recipientPhoneNumber"] for row in rows} == {"'+254…678"}
    assert "Habari" not in (tmp_path / "out.csv").read_text("utf-8")
    whole: list[dict[str, Any]] = json.loads(run(running, "messages", *PERIOD, "--json", "--full", "--user", "shop"))
    assert [(row["recipientPhoneNumber"], row["tags"]) for row in whole] == [
        ("+254712345678", ["otp", "vip"]),
        ("+254712345678", []),
    ]


def test_what_makes_no_sense_is_refused_with_a_remedy(running: LocalSystem, tmp_path: Path) -> None:
    assert "none of day" in run(running, "costs", *PERIOD, "--by", "colour", code=2)
    assert "neither in .csv" in run(running, "messages", *PERIOD, "--output", str(tmp_path / "x.xlsx"), code=2)
    later_first = ("--from", "2040-01-01T00:00:00Z", "--to", "2020-01-01T00:00:00Z")
    assert "--to: is not after" in run(
        running, "costs", *later_first, "--by", "day", "--output", str(tmp_path / "y.csv"), code=1
    )
    assert not list(tmp_path.iterdir())


def test_an_invoice_is_compared_message_by_message_and_by_days(running: LocalSystem, tmp_path: Path) -> None:
    url = read_running_file(running.home / RUNNING_FILE)["MESSAGING_DATABASE_URL"]
    with psycopg.connect(url) as connection:
        ids = [row[0] for row in connection.execute("SELECT carrier_message_id FROM message_part ORDER BY message_id")]
    assert len(ids) == 3
    header = "carrierMessageId,parts,cost,status,day,messages\n"
    invoice, exceptions = tmp_path / "invoice.csv", tmp_path / "exceptions.csv"
    asked = ("--carrier", "sandbox", "--invoice", str(invoice), *PERIOD)
    invoice.write_text(header + "".join(f"{each},1,0.5,Success,,\n" for each in ids), "utf-8")
    assert "matchedLines" in run(running, "reconcile", *asked)
    invoice.write_text(
        f"{header}{ids[0]},2,0.5,Success,,\n{ids[1]},1,0.5,Failed,,\n=x,1,0.5,,,\n,9,,,2020-01-01,9\n", "utf-8"
    )
    outcome = running.run("reports", "reconcile", *asked, "--output", str(exceptions))
    assert (outcome.returncode, "5 exceptions in" in outcome.stdout) == (1, True), outcome.stderr
    assert [(row["cause"], row["line"]) for row in lines(exceptions)] == [
        ("not_ours", "4"),
        ("not_on_invoice", ""),
        ("parts_differ", "2"),
        ("charged_but_failed", "3"),
        ("total_differs", "5"),
    ]
    assert lines(exceptions)[0]["carrierMessageId"] == "'=x"
    shown = running.run("reports", "reconcile", *asked, "--json")
    assert [row["cause"] for row in json.loads(shown.stdout)][:2] == ["not_ours", "not_on_invoice"]


def test_an_invoice_that_cannot_be_read_is_refused_by_line(running: LocalSystem, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.csv"
    asked = ("--carrier", "sandbox", "--invoice", str(invoice), *PERIOD)
    for text, said in (
        ("carrierMessageId,price\n", "line 1: the header has the column 'price'"),
        ("parts,cost\n", "needs carrierMessageId or day"),
        ("carrierMessageId,parts\nA,1\nB,one\n", "line 3: 'one' is not a whole number"),
        ("carrierMessageId,cost\nA,0.0000001\n", "more than 6 decimal places"),
        ("day,parts\nyesterday,1\n", "line 2"),
        ("carrierMessageId,parts\nA\n", "line 2: has 1 cells"),
    ):
        invoice.write_text(text, "utf-8")
        assert said in run(running, "reconcile", *asked, code=1)
