"""A file of recipients at the terminal: checked, priced, sent, killed, and sent to the end without a doubled SMS."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.local_system import LocalSystem, eventually

pytestmark = pytest.mark.timeout(240)

TEXT = "Dear {name}, you owe {amount} KES."
REFUSED = "+254700000001"
_numbers = count(20_000_000)


def recipients(folder: Path, size: int, *more: str) -> tuple[Path, list[str]]:
    """A file of new phones with more lines below, and the phones."""
    phones = [f"+2547{next(_numbers):08}" for _ in range(size)]
    file = folder / "recipients.csv"
    lines = [f"{phone},Customer {number},{number / 4}" for number, phone in enumerate(phones)]
    file.write_text("\n".join(("recipient,name,amount", *lines, *more)) + "\n")
    return file, phones


def command(file: Path, *more: str, text: str = TEXT) -> tuple[str, ...]:
    return ("send-batch", str(file), "--text", text, "--yes", *more)


def summary(system: LocalSystem, *arguments: str, code: int = 0) -> dict[str, Any]:
    outcome = system.run(*arguments, "--json")
    assert outcome.returncode == code, outcome.stderr
    document: dict[str, Any] = json.loads(outcome.stdout)
    return document


def results(file: Path) -> list[dict[str, str]]:
    with file.with_name("recipients.results.csv").open(newline="") as reading:
        return list(csv.DictReader(reading))


def counted(system: LocalSystem, phones: list[str]) -> Counter[int]:
    """How many of the phones got how many messages."""
    _, document = system.http("SANDBOX_HTTP_ADDRESS", "/phones")
    messages = {phone["number"]: phone["messages"] for phone in document["phones"]}
    return Counter(messages.get(phone, 0) for phone in phones)


def repeated(system: LocalSystem) -> int:
    _, stats = system.http("SANDBOX_HTTP_ADDRESS", "/stats")
    number: int = stats["repeated"]
    return number


def begun(system: LocalSystem, file: Path, *more: str) -> subprocess.Popen[str]:
    """Sending, with some results but not all."""
    process = system.begin(*command(file, "--batch", "50", "--window", "100", *more))
    written = file.with_name("recipients.results.csv")
    assert eventually(lambda: written.exists() and written.read_bytes().count(b"\n") > 200)
    assert process.poll() is None
    return process


def test_a_dry_run_says_what_it_would_cost_and_sends_nothing(running: LocalSystem, tmp_path: Path) -> None:
    long = f"+254712345678,{'x' * 150},1"
    file, phones = recipients(tmp_path, 3, long)
    found = summary(running, *command(file, "--dry-run"))
    assert (found["lines"], found["smsUnits"], found["totalCost"]) == (4, 5, "3")
    assert found["prices"] == [{"costPerUnit": "0.6", "smsUnits": 5}]
    other = summary(running, *command(file, "--dry-run", "--user", "cust123"))
    assert other["totalCost"] == "3.5"
    shown = running.run(*command(file, "--dry-run"))
    assert shown.returncode == 0
    assert "total cost 3 KES" in shown.stdout
    assert "Dear Customer 0, you owe 0.0 KES." in shown.stdout
    assert not any(phone in shown.stdout for phone in phones)
    assert counted(running, phones) == {0: 3}
    assert not file.with_name("recipients.results.csv").exists()


def test_a_price_that_changes_ahead_counts_for_lines_scheduled_after_it(running: LocalSystem, tmp_path: Path) -> None:
    setting = ("costs", "set", "SpecificCustomer", "0.7", "--customer", "planner", "--reason", "trial", "--from")
    assert running.run(*setting, "2026-01-01T00:00:00Z").returncode == 0
    tomorrow, later = ((datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (1, 2))
    assert running.run(*setting[:3], "0.9", *setting[4:], tomorrow).returncode == 0
    file = tmp_path / "recipients.csv"
    file.write_text(
        f"recipient,name,amount,scheduled\n+254712345678,a,1,\n+254712345678,b,1,{later}\n+254712345678,c,1,{later}\n"
    )
    found = summary(running, *command(file, "--dry-run", "--user", "planner"))
    assert (found["scheduled"], found["totalCost"]) == (2, "2.5")


def test_what_has_expired_is_told_before_and_refused_by_its_line(running: LocalSystem, tmp_path: Path) -> None:
    file = tmp_path / "recipients.csv"
    phone = f"+2547{next(_numbers):08}"
    past, future = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    file.write_text(f"recipient,name,amount,expires\n{phone},a,1,{past}\n{phone},b,1,{future}\n{phone},c,1,\n")
    assert summary(running, *command(file, "--dry-run"))["expired"] == 1
    found = summary(running, *command(file), code=1)
    assert (found["sent"], found["error"]) == (2, 1)
    assert {row["line"]: row["status"] for row in results(file)} == {"2": "error", "3": "sent", "4": "sent"}
    assert counted(running, [phone]) == {2: 1}


def test_numbers_of_one_country_are_read_as_people_write_them_and_repeated_ones_are_counted(
    running: LocalSystem, tmp_path: Path
) -> None:
    file = tmp_path / "recipients.csv"
    phone = f"+2547{next(_numbers):08}"
    spelled = [
        f"0{phone[4:]}",
        phone[4:],
        phone[1:],
        f"'{phone}",
        f"{phone[:4]} {phone[4:7]} {phone[7:]}",
        "+254733456780",
    ]
    file.write_text("Recipient;Name;Amount\n" + "".join(f"{number};Amina;1\n" for number in spelled))
    refused = running.run(*command(file, text="Dear {Name}, you owe {Amount} KES."))
    assert refused.returncode == 1
    assert "or say with --country KE" in refused.stderr
    common = command(file, "--country", "KE", "--wait", "10", text="Dear {Name}, you owe {Amount} KES.")
    assert "1 number is repeated: on 5 lines" in running.run(*common, "--dry-run").stdout
    assert summary(running, *common, "--dry-run")["repeatedNumbers"] == 1
    assert summary(running, *common)["sent"] == 6
    assert counted(running, [phone]) == {5: 1}


def test_lines_to_countries_that_are_not_allowed_are_named_before_anything_is_sent(
    running: LocalSystem, tmp_path: Path
) -> None:
    file, phones = recipients(tmp_path, 2, "+14155550123,a,1", "+881612345678,b,1", "+14155550124,c,1")
    outcome = running.run(*command(file))
    assert outcome.returncode == 1
    named = [line.strip()[:35] for line in outcome.stderr.splitlines() if line.strip().startswith("line")]
    assert named == [
        "line 4: recipient: messages to US a",
        "line 5: recipient: messages to +881",
        "line 6: recipient: messages to US a",
    ]
    assert counted(running, phones) == {0: 2}


def test_everything_that_is_wrong_is_named_before_anything_is_sent(running: LocalSystem, tmp_path: Path) -> None:
    file, phones = recipients(tmp_path, 2, "0712345678,a,1", f"+254712345678,,{'9' * 1_600}", "+254712345679,a,")
    outcome = running.run(*command(file))
    assert outcome.returncode == 1
    lines = [line.strip().split(":")[0] for line in outcome.stderr.splitlines() if line.strip().startswith("line")]
    assert lines == ["line 4", "line 5", "line 6"]
    assert "column name is empty" in outcome.stderr
    assert "0712345678" not in outcome.stderr
    assert "Traceback" not in outcome.stderr
    unknown = running.run(*command(file, text="Dear {nmae}"))
    assert "the text names {nmae}, which is no column; the columns are recipient, name, amount" in unknown.stderr
    assert counted(running, phones) == {0: 2}


def test_nobody_there_to_confirm_means_no(running: LocalSystem, tmp_path: Path) -> None:
    file, phones = recipients(tmp_path, 1)
    outcome = running.run("send-batch", str(file), "--text", TEXT)
    assert outcome.returncode == 1
    assert "--yes" in outcome.stderr
    assert counted(running, phones) == {0: 1}


def test_each_line_gets_its_text_and_its_result_and_a_repetition_sends_nothing(
    running: LocalSystem, tmp_path: Path
) -> None:
    file, phones = recipients(tmp_path, 30, f"{REFUSED},Refused,1")
    found = summary(running, *command(file, "--tag", "july"), code=1)
    assert (found["lines"], found["sent"], found["failed"], found["cost"]) == (31, 30, 1, "18")
    assert found["errors"] == {"INVALID_RECIPIENT": 1}
    _, phone = running.http("SANDBOX_HTTP_ADDRESS", f"/phones/{phones[2]}")
    assert [message["text"] for message in phone["messages"]] == ["Dear Customer 2, you owe 0.5 KES."]
    written = {int(row["line"]): row for row in results(file)}
    assert sorted(written) == list(range(2, 33))
    assert (written[2]["status"], written[2]["cost"], written[2]["replayed"]) == ("sent", "0.6", "no")
    assert (written[32]["status"], written[32]["cost"]) == ("failed", "0")
    _, entry = running.http("GATEWAY_HTTP_ADDRESS", f"/api/sms/outbox/{written[4]['outboxId']}")
    assert (entry["recipientPhoneNumber"], entry["tags"]) == (phones[2], ["july"])

    again = summary(running, *command(file, "--tag", "july"), code=1)
    assert (again["replayed"], again["cost"], again["earlierCost"]) == (31, "0", "18")
    assert {row["outboxId"] for row in results(file)} == {row["outboxId"] for row in written.values()}
    assert counted(running, phones) == {1: 30}


def test_another_text_to_the_same_file_is_not_sent_by_accident(running: LocalSystem, tmp_path: Path) -> None:
    file, phones = recipients(tmp_path, 3)
    first = summary(running, *command(file))
    outcome = running.run(*command(file, text="Corrected: {name}"))
    assert outcome.returncode == 1
    assert f"--campaign {first['campaign']}" in outcome.stderr
    assert counted(running, phones) == {1: 3}
    refused = summary(running, *command(file, "--campaign", first["campaign"], text="Corrected: {name}"), code=1)
    assert refused["errors"] == {"MESSAGE_ID_REUSED": 3}
    assert counted(running, phones) == {1: 3}
    meant = summary(running, *command(file, "--results", str(tmp_path / "second.csv"), text="Corrected: {name}"))
    assert meant["sent"] == 3
    assert counted(running, phones) == {2: 3}


def test_killed_halfway_and_run_again_each_phone_gets_exactly_one(running: LocalSystem, tmp_path: Path) -> None:
    file, phones = recipients(tmp_path, 2_000)
    before = repeated(running)
    with begun(running, file) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    found = summary(running, *command(file))
    assert (found["sent"], found["notSent"], found["unanswered"]) == (2_000, 0, 0)
    assert 200 <= found["replayed"] < 2_000
    assert float(found["cost"]) + float(found["earlierCost"]) == 1_200
    assert counted(running, phones) == {1: 2_000}
    assert repeated(running) == before


def test_ctrl_c_waits_for_answers_and_says_how_to_go_on(running: LocalSystem, tmp_path: Path) -> None:
    file, phones = recipients(tmp_path, 2_000)
    with begun(running, file) as process:
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert "not sent" in shown
    assert "Traceback" not in errors
    done = counted(running, phones)[1]
    assert len(results(file)) == done < 2_000
    found = summary(running, *command(file))
    assert (found["sent"], found["replayed"]) == (2_000, done)
    assert counted(running, phones) == {1: 2_000}


def test_ctrl_c_while_the_file_is_read_sends_nothing(running: LocalSystem, tmp_path: Path) -> None:
    file, phones = recipients(tmp_path, 1, *["+254712345678,a,1"] * 200_000)
    with running.begin(*command(file)) as process:
        # It has the file open from its first chunk to its last.
        descriptors = Path(f"/proc/{process.pid}/fd")
        assert eventually(lambda: any(link.resolve() == file for link in descriptors.iterdir()))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert not file.with_name("recipients.results.csv").exists()
    assert counted(running, phones) == {0: 1}


def test_messaging_that_dies_meanwhile_is_waited_for_and_nothing_is_doubled(
    running: LocalSystem, tmp_path: Path
) -> None:
    file, phones = recipients(tmp_path, 2_000)
    before = repeated(running)
    with begun(running, file, "--wait", "1") as process:
        running.kill(running.pid_of("messaging_service"))
        shown, errors = process.communicate(timeout=120)
    assert process.returncode == 0, shown + errors
    running.wait_until_back("messaging")
    assert set(counted(running, phones)) <= {0, 1}
    assert repeated(running) == before
    latest = {int(row["line"]): row["status"] for row in results(file)}
    assert len(latest) == 2_000
    assert set(latest.values()) <= {"sent", "pending"}
    # What was on its way at that moment is not known to be sent, and is never sent again by itself.
    assert Counter(latest.values())["pending"] <= 200
