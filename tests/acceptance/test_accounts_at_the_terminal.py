"""What operators do with accounts at the terminal and over REST, on a running system."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from threading import Event
from typing import Any

import psycopg
import pytest

from sms_cli.shared.local_settings import RUNNING_FILE, read_running_file
from tests.acceptance.local_system import LocalSystem

pytestmark = pytest.mark.timeout(240)

PERIOD = ("--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")


def document(system: LocalSystem, *arguments: str, code: int = 0) -> Any:
    command, *others = arguments
    outcome = system.run("accounts", command, "--json", *others)
    assert outcome.returncode == code, outcome.stderr
    return json.loads(outcome.stdout)


def send(system: LocalSystem, user: str) -> tuple[int, Any]:
    body = {
        "userId": user,
        "recipientPhoneNumber": "+254712345678",
        "message": "Habari",
        "senderId": "TUKUPAY",
    }
    return system.http("GATEWAY_HTTP_ADDRESS", "/api/sms/send", body)


def change(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_an_account_is_opened_paid_into_used_and_accounted_for(running: LocalSystem) -> None:
    terms = document(running, "open", "shop", "--mode", "prepaid", "--daily-spend", "100")
    assert (terms["mode"], terms["available"], terms["dailySpend"]) == ("prepaid", "0", "100")
    status, refused = send(running, "shop")
    assert (status, refused["reason"], refused["shortfall"]) == (402, "INSUFFICIENT_FUNDS", 0.8)
    booked = document(running, "top-up", "shop", "2.5", "--reference", "QK1", "--by", "wanjiru")
    assert (booked["entry"]["amount"], booked["replayed"]) == ("2.5", False)
    assert document(running, "top-up", "shop", "2.5", "--reference", "QK1")["replayed"] is True
    status, sent = send(running, "shop")
    assert (status, sent["outboxEntry"]["totalCost"]) == (200, 0.8)
    refunded = document(
        running, "refund", sent["outboxEntry"]["outboxId"], "--reason", "it never arrived", "--by", "wanjiru"
    )
    assert refunded["entry"]["amount"] == "0.8"
    document(running, "adjust", "shop", "-0.5", "--reason", "a gift taken back")
    statement = document(running, "statement", "shop", *PERIOD)
    assert (statement["openingBalance"], statement["closingBalance"]) == ("0", "2")
    assert [entry["kind"] for entry in statement["entries"]] == ["top_up", "charge", "refund", "adjustment"]
    status, balance = running.http("GATEWAY_HTTP_ADDRESS", "/api/sms/balance?userId=shop")
    assert (status, balance["balance"], balance["available"], balance["spentToday"]) == (200, 2.0, 2.0, 0.8)


def test_statements_and_accounts_are_written_to_files_that_add_up(running: LocalSystem) -> None:
    document(running, "open", "stall", "--mode", "prepaid")
    document(running, "top-up", "stall", "10", "--reference", "+QK2", "--by", "wanjiru")
    document(running, "adjust", "stall", "-2.5", "--reason", "=paid out", "--by", "amina")
    written = running.home.parent / "statement.csv"
    outcome = running.run("accounts", "statement", "stall", *PERIOD, "--output", str(written))
    assert "2 entries in" in outcome.stdout
    assert "closing balance KES 7.5" in outcome.stdout
    with written.open(encoding="utf-8", newline="") as file:
        entries = list(csv.DictReader(file))
    assert [(entry["amount"], entry["balance"], entry["bookedBy"]) for entry in entries] == [
        ("10", "10", "wanjiru"),
        ("-2.5", "7.5", "amina"),
    ]
    assert (entries[0]["reference"], entries[1]["reason"]) == ("'+QK2", "'=paid out")
    assert "amina" in running.run("accounts", "statement", "stall", *PERIOD).stdout
    listed = {terms["userId"]: terms for terms in document(running, "list", "--mode", "prepaid")}
    assert listed["stall"]["balance"] == "7.5"
    assert {terms["mode"] for terms in listed.values()} == {"prepaid"}
    accounts = running.home.parent / "accounts.json"
    assert "paid ahead" in running.run("accounts", "list", "--output", str(accounts)).stdout
    assert "stall" in {terms["userId"] for terms in json.loads(accounts.read_text(encoding="utf-8"))}
    assert "paid ahead" in running.run("accounts", "list", "--status", "active").stdout


def test_statements_agree_with_themselves_while_the_account_sends(running: LocalSystem) -> None:
    document(running, "open", "busy", "--mode", "prepaid")
    document(running, "top-up", "busy", "1000", "--reference", "QK-busy")
    ended = Event()

    def caller() -> int:
        sends = 0
        while not ended.is_set():
            status, _ = send(running, "busy")
            assert status == 200
            sends += 1
        return sends

    path = "/api/sms/balance/statement?userId=busy&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=1000"
    with ThreadPoolExecutor(3) as callers:
        sent = [callers.submit(caller) for _ in range(3)]
        try:
            for _ in range(10):
                _, statement = running.http("GATEWAY_HTTP_ADDRESS", path)
                booked = sum(Decimal(str(entry["amount"])) for entry in statement["entries"])
                assert Decimal(str(statement["openingBalance"])) + booked == Decimal(str(statement["closingBalance"]))
                counted = sum(total["entries"] for total in statement["totals"])
                assert counted == len(statement["entries"])
            written = running.home.parent / "busy.csv"
            outcome = running.run("accounts", "statement", "busy", *PERIOD, "--output", str(written))
            with written.open(encoding="utf-8", newline="") as file:
                *_, last = csv.DictReader(file)
            assert f"closing balance KES {last['balance']}" in outcome.stdout.splitlines()
            listed = document(running, "statement", "busy", *PERIOD)
        finally:
            ended.set()
    assert sum(each.result() for each in sent) > 0
    totals = {total["kind"]: total for total in listed["totals"]}
    assert totals["top_up"] == {"kind": "top_up", "entries": 1, "amount": "1000"}
    assert totals["charge"]["entries"] == len(listed["entries"]) - 1
    assert sum(Decimal(total["amount"]) for total in listed["totals"]) == Decimal(listed["closingBalance"])


def test_a_month_of_nairobi_is_asked_for_by_its_name(running: LocalSystem) -> None:
    document(running, "open", "monthly", "--mode", "prepaid")
    entry = document(running, "top-up", "monthly", "1", "--reference", "QK-month")["entry"]
    first = "2026-10-01T00:00:00+03:00"
    change(
        read_running_file(running.home / RUNNING_FILE)["MESSAGING_DATABASE_URL"],
        f"UPDATE ledger_entry SET created_at = '{first}' WHERE id = {entry['entryId']}",
    )
    assert len(document(running, "statement", "monthly", "--period", "2026-10")["entries"]) == 1
    assert document(running, "statement", "monthly", "--period", "2026-09")["entries"] == []
    refused = running.run("accounts", "statement", "monthly", "--period", "2026-10", "--from", first)
    assert (refused.returncode, "--from and --to" in refused.stderr) == (2, True)
    assert "--period" in running.run("accounts", "statement", "monthly").stderr


def test_a_payment_is_credited_once_and_an_operator_is_told_where_it_is(running: LocalSystem) -> None:
    for user in ("payer", "wrong"):
        document(running, "open", user, "--mode", "prepaid")
    booked = document(running, "top-up", "payer", "100", "--reference", "QK126766213")["entry"]
    body = {"userId": "wrong", "amount": 100, "reference": "qk126766213 "}
    status, refused = running.http("GATEWAY_HTTP_ADDRESS", "/api/sms/balance/top-ups", body)
    assert (status, refused["reason"], "payer" in json.dumps(refused)) == (409, "REFERENCE_REUSED", False)
    told = running.run("accounts", "top-up", "wrong", "100", "--reference", "QK126766213")
    assert (told.returncode, f"it is entry {booked['entryId']} of account payer" in told.stderr) == (1, True)
    assert "--override-reference" in told.stderr
    override = ("--override-reference", "two payments, one number")
    assert document(running, "top-up", "wrong", "100", "--reference", "QK126766213", *override)["replayed"] is False
    verified = document(running, "verify", "--user", "wrong")
    assert [entry["userId"] for entry in verified["sharedReferences"][0]] == ["payer", "wrong"]
    assert "two payments, one number" in running.run("accounts", "verify", "--user", "payer").stdout
    # A reversal is booked although the money is spent, and stops the account.
    assert document(running, "adjust", "payer", "-150", "--reason", "M-PESA reversed it")["entry"]["amount"] == "-150"
    assert send(running, "payer")[1]["reason"] == "INSUFFICIENT_FUNDS"


def test_what_was_booked_in_a_month_ties_to_its_statement(running: LocalSystem) -> None:
    document(running, "open", "tied", "--mode", "postpaid")
    outbox_id = send(running, "tied")[1]["outboxEntry"]["outboxId"]
    document(running, "refund", outbox_id, "--attempt", "1", "--reason", "it never arrived")
    month = datetime.now(timezone(timedelta(hours=3))).strftime("%Y-%m")
    outcome = running.run(
        "reports", "costs", "--booked", "--period", month, "--by", "account", "--user", "tied", "--json"
    )
    (row,) = json.loads(outcome.stdout)
    assert (row["account"], row["messages"], row["charged"], row["refunded"]) == ("tied", 1, "0.8", "0.8")
    totals = document(running, "statement", "tied", "--period", month)["totals"]
    assert {total["kind"]: total["amount"] for total in totals} == {"charge": "-0.8", "refund": "0.8"}


def test_terms_are_changed_one_by_one(running: LocalSystem) -> None:
    document(running, "open", "kiosk", "--mode", "postpaid", "--per-minute", "5", "--per-recipient-hour", "2")
    terms = document(running, "terms", "kiosk", "--per-minute", "none", "--status", "suspended")
    assert (terms["messagesPerMinute"], terms["messagesPerRecipientHour"], terms["status"]) == (None, 2, "suspended")
    assert send(running, "kiosk")[1]["reason"] == "ACCOUNT_NOT_ACTIVE"
    assert document(running, "terms", "kiosk", "--status", "active")["status"] == "active"


def test_books_that_add_up_are_called_right_and_others_fail_the_command(running: LocalSystem) -> None:
    send(running, "books")
    right = document(running, "verify")
    assert right["faults"] == []
    assert right["accounts"] >= 1
    url = read_running_file(running.home / RUNNING_FILE)["MESSAGING_DATABASE_URL"]
    change(url, "UPDATE account SET posted = posted - 1 WHERE id = 'books'")
    try:
        wrong = running.run("accounts", "verify")
        assert wrong.returncode == 1
        assert "books: POSTED_IS_SUM_OF_ENTRIES" in wrong.stdout
        assert "do not add up" in wrong.stderr
    finally:
        change(url, "UPDATE account SET posted = posted + 1 WHERE id = 'books'")
    assert running.run("accounts", "verify", "--user", "books").returncode == 0


def test_what_makes_no_sense_is_refused_with_a_remedy(running: LocalSystem) -> None:
    unknown = running.run("accounts", "terms", "nobody")
    assert unknown.returncode == 1
    assert "neither been opened nor sent anything" in unknown.stderr
    fine = running.run("accounts", "top-up", "nobody", "0.0000001", "--reference", "x")
    assert fine.returncode == 2
    assert "more than 6 decimal places" in fine.stderr
    misspelt = running.run("accounts", "adjust", "shop", "-0.5", "--reeson", "x", "--reason", "y")
    assert misspelt.returncode == 2
