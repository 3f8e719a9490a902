"""Cost reports and exports at the terminal and over REST, on a running system."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    assert "period_end" in run(
        running, "costs", *later_first, "--by", "day", "--output", str(tmp_path / "y.csv"), code=1
    )
    assert not list(tmp_path.iterdir())
