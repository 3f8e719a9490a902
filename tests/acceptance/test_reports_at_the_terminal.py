"""Cost reports and exports at the terminal and over REST, on a running system."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sms_cli.shared.local_settings import RUNNING_FILE, read_running_file
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
    # The sandbox speaks SMPP, which reports no costs: nothing speaks against the invoice, and it is no clean pass.
    agreed = running.run("reports", "reconcile", *asked)
    assert (agreed.returncode, "matchedLines     3" in agreed.stdout) == (3, True), agreed.stdout
    assert "costNotCompared  3" in agreed.stdout
    assert "3 costs were compared with nothing" in agreed.stderr
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
    assert shown.returncode == 1
    assert [row["cause"] for row in json.loads(shown.stdout)][:2] == ["not_ours", "not_on_invoice"]


def test_an_invoice_that_cannot_be_read_is_refused_by_line(running: LocalSystem, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.csv"
    asked = ("--carrier", "sandbox", "--invoice", str(invoice), *PERIOD)
    for text, said in (
        ("carrierMessageId,price\n", "line 1: 'price' is no column"),
        ("parts,cost\n", "needs carrierMessageId or day"),
        ("carrierMessageId,parts\nA,1\nB,one\n", "line 3: 'one' is not a whole number"),
        ("carrierMessageId,cost\nA,0.0000001\n", "more than 6 decimal places"),
        ("day,parts\n01/12/2026,1\n", "line 2: '01/12/2026' is not a day such as 2026-01-31"),
        ("carrierMessageId,parts\nA,1,2\n", "line 2: has 3 values for 2 columns"),
        ("carrierMessageId,status\nA,Bounced\n", "line 2: the status 'Bounced' is not known"),
    ):
        invoice.write_text(text, "utf-8")
        assert said in run(running, "reconcile", *asked, code=2)
        as_json = running.run("reports", "reconcile", *asked, "--json")
        assert (as_json.returncode, as_json.stdout) == (2, "")


def test_a_comparison_that_cannot_be_made_is_trouble_and_no_disagreement(running: LocalSystem, tmp_path: Path) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("carrierMessageId,cost\nA,0.4\n", "utf-8")
    asked = ("--invoice", str(invoice), *PERIOD, "--json")
    unknown = running.run("reports", "reconcile", "--carrier", "sandbx", *asked)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no carrier here" in unknown.stderr
    missing = running.run("reports", "reconcile", "--carrier", "sandbox", "--invoice", str(tmp_path / "x.csv"), *PERIOD)
    assert (missing.returncode, "cannot be read" in missing.stderr) == (2, True)


def test_costs_by_tag_end_with_totals_in_a_file(running: LocalSystem, tmp_path: Path) -> None:
    run(running, "costs", *PERIOD, "--by", "tag", "--output", str(tmp_path / "tags.csv"), "--bom")
    assert (tmp_path / "tags.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "tags.csv").open(encoding="utf-8-sig", newline="") as file:
        *_rows, last = csv.DictReader(file)
    assert (last["tag"], last["messages"]) == ("TOTAL", "3")
    run(running, "costs", *PERIOD, "--by", "account", "--output", str(tmp_path / "accounts.csv"))
    assert "TOTAL" not in (tmp_path / "accounts.csv").read_text("utf-8")
