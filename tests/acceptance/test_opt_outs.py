"""Opting out on a running system: from a phone, over REST, and at the terminal."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.local_system import LocalSystem

pytestmark = pytest.mark.timeout(240)

LIST = "/api/sms/suppressions"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture(scope="module")
def rest(running: LocalSystem) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"http://{running.addresses['GATEWAY_HTTP_ADDRESS']}", trust_env=False, timeout=60
    ) as client:
        yield client


def send(rest: httpx.Client, phone: str, **changes: Any) -> httpx.Response:
    body = {"userId": "user123", "recipientPhoneNumber": phone, "message": "Sale today", "senderId": "TUKUPAY"}
    return rest.post("/api/sms/send", json=body | changes)


def question(phone: str, sender: str = "TUKUPAY") -> dict[str, str]:
    return {"phoneNumber": phone, "senderId": sender, "userId": "user123"}


def until_suppressed(rest: httpx.Client, phone: str, wanted: bool) -> dict[str, Any]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        answer: dict[str, Any] = rest.post(f"{LIST}/check", json=question(phone)).json()
        if answer["suppressed"] is wanted:
            return answer
    raise AssertionError(f"suppressed did not become {wanted}")


def said(system: LocalSystem, *arguments: str) -> str:
    outcome = system.run(*arguments)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_a_phone_that_replies_stop_gets_nothing_until_it_starts_again(running: LocalSystem, rest: httpx.Client) -> None:
    phone = "+254712000001"
    assert send(rest, phone).json()["status"] == "success"
    waiting = send(rest, phone, scheduleTimestamp=TOMORROW).json()["outboxEntry"]["outboxId"]
    assert "wrote to TUKUPAY" in said(running, "phone", phone, "--reply", "Stop!")
    answer = until_suppressed(rest, phone, True)
    assert [entry["source"] for entry in answer["suppressions"]] == ["stop_keyword"]
    problem = send(rest, phone)
    assert (problem.status_code, problem.json()["reason"]) == (409, "RECIPIENT_OPTED_OUT")
    assert phone not in problem.text
    end = time.monotonic() + 20
    while (entry := rest.get(f"/api/sms/outbox/{waiting}").json())["status"] == "pending":
        assert time.monotonic() < end
    assert (entry["deliveryState"], entry["errorCode"], entry["resendable"]) == (
        "cancelled",
        "RECIPIENT_OPTED_OUT",
        "never",
    )
    assert rest.post("/api/sms/outbox/resend", json={"outboxId": waiting}).status_code == 409
    said(running, "phone", phone, "--reply", "ANZA")
    until_suppressed(rest, phone, False)
    assert send(rest, phone).json()["status"] == "success"


@pytest.mark.parametrize("sender", ["TUKUPAY", "user_id"])
def test_a_refusal_spells_the_sender_as_the_caller_did(rest: httpx.Client, sender: str) -> None:
    phone = "+254712000031"
    new = {"phoneNumber": phone, "senderId": sender, "reason": "web page", "createdBy": "shop"}
    assert rest.post(LIST, json=new).status_code == 201
    problem = send(rest, phone, senderId=sender).json()
    assert problem["reason"] == "RECIPIENT_OPTED_OUT"
    assert f"no messages from sender id {sender};" in problem["detail"]


def test_an_app_takes_a_recipient_off_and_back(rest: httpx.Client) -> None:
    phone = "+254712000002"
    new = {"phoneNumber": phone, "senderId": "TUKUPAY", "userId": "user123", "reason": "web page", "createdBy": "shop"}
    added = rest.post(LIST, json=new)
    assert added.status_code == 201
    assert rest.post(LIST, json=new).status_code == 200
    assert send(rest, phone).status_code == 409
    assert send(rest, phone, userId="another").json()["status"] == "success"
    batch = rest.post(
        "/api/sms/send-batch",
        headers={"Idempotency-Key": "sale"},
        json={
            "messages": [
                {"userId": "user123", "recipientPhoneNumber": number, "message": "Hi", "senderId": "TUKUPAY"}
                for number in (phone, "+254712000003")
            ]
        },
    ).json()
    assert [result["status"] for result in batch["results"]] == ["error", "success"]
    suppression_id = added.json()["suppression"]["suppressionId"]
    listed = rest.get(LIST, params={"userId": "user123"}).json()
    assert suppression_id in [entry["suppressionId"] for entry in listed]
    ended = rest.delete(f"{LIST}/{suppression_id}", params={"reason": "came back", "endedBy": "shop"})
    assert (ended.status_code, ended.json()["ending"]["endedBy"]) == (200, "shop")
    assert send(rest, phone).json()["status"] == "success"


def test_an_operator_works_the_list_at_the_terminal(running: LocalSystem, tmp_path: Path) -> None:
    phone = "+254712000004"
    assert "0 messages waited" in said(running, "suppressions", "add", phone, "--reason", "complained", "--by", "amina")
    assert "held already" in said(running, "suppressions", "add", phone, "--reason", "again")
    shown = said(running, "suppressions", "list", "--phone", phone)
    assert "complained" in shown
    assert "amina" in shown
    assert phone not in shown
    assert "+25471…04" in shown
    names, row = said(running, "suppressions", "list", "--phone", phone, "--full").splitlines()
    assert dict(zip(names.split("\t"), row.split("\t"), strict=True))["phone"] == phone
    (record,) = json.loads(said(running, "suppressions", "list", "--phone", phone, "--json", "--full"))
    assert (record["phoneNumber"], record["source"], record["senderId"]) == (phone, "operator", None)
    said(running, "suppressions", "add", phone, "--sender", "TUKUPAY", "--reason", "twice")
    several = running.run("suppressions", "remove", phone, "--reason", "sorry")
    assert several.returncode == 1
    assert "2 entries hold" in several.stderr
    assert "sorry" in said(running, "suppressions", "remove", phone, "--reason", "sorry", "--all")
    assert "Nobody" in said(running, "suppressions", "list", "--phone", phone)
    assert "nothing to end" in said(running, "suppressions", "remove", phone, "--reason", "sorry")
    assert record["suppressionId"] in said(
        running, "suppressions", "list", "--phone", phone, "--ended", "--full", "--json"
    )
    missing = running.run("suppressions", "remove", "suppression_" + "0" * 32, "--reason", "sorry")
    assert "SUPPRESSION_NOT_FOUND" in missing.stderr
    # The system is well, so nobody is sent to look at it.
    assert "-> do what the message asks for" in missing.stderr
    assert "tukupay-sms status" not in missing.stderr
    export = tmp_path / "list.csv"
    said(running, "suppressions", "add", phone, "--reason", "for the file")
    assert running.run("suppressions", "export").returncode == 1
    said(running, "suppressions", "export", str(export))
    assert export.stat().st_mode & 0o077 == 0
    with export.open(encoding="utf-8", newline="") as file:
        exported = list(csv.DictReader(file))
    assert f"'{phone}" in [row["phoneNumber"] for row in exported]
    # The entries of apps become ones of the operator; those of operators hold already.
    held = [row["source"] for row in exported].count("operator")
    assert f" new, {held} held already" in said(running, "suppressions", "import", str(export))
    said(running, "suppressions", "export", str(export), "--raw", "--bom")
    assert export.read_bytes().startswith(b"\xef\xbb\xbf")
    assert f"\n{phone}," in export.read_text("utf-8")
    assert "0 new," in said(running, "suppressions", "import", str(export), "--raw")


def test_a_file_of_opt_outs_counts_line_by_line(running: LocalSystem, rest: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "opted-out.csv"
    lines = [f"+2547130000{number:02},TUKUPAY,,left the list" for number in range(40)]
    file.write_text(
        "\n".join(["phoneNumber,senderId,userId,reason", *lines, "0712,,,", "+254713000001,a b c d e f g,,"])
    )
    outcome = running.run("suppressions", "import", str(file))
    assert outcome.returncode == 1
    assert "40 new, 0 held already" in outcome.stdout
    assert "line 42" in outcome.stderr
    assert "line 43" in outcome.stderr
    assert send(rest, "+254713000039").status_code == 409
    again = running.run("suppressions", "import", str(file))
    assert "0 new, 40 held already" in again.stdout
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("telephone\n+254713000001\n")
    assert "telephone" in running.run("suppressions", "import", str(wrong)).stderr
