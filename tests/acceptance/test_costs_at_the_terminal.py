"""What finance does at the terminal: files of prices, explanations, rehearsals and audits, on a running system."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.local_system import LocalSystem, free_addresses

pytestmark = pytest.mark.timeout(240)

HEADER = "level,customerId,appId,pricePerSms,effectiveFrom,reason\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system that the tests below share; each of them prices customers of its own."""
    made = LocalSystem(tmp_path_factory.mktemp("costs") / "home", free_addresses())
    try:
        made.up()
        yield made
    finally:
        made.clean_up()


def document(system: LocalSystem, *arguments: str, code: int = 0) -> Any:
    outcome = system.run(*arguments, "--json")
    assert outcome.returncode == code, outcome.stderr
    return json.loads(outcome.stdout)


def text(system: LocalSystem, *arguments: str) -> str:
    outcome = system.run(*arguments)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def refusal(system: LocalSystem, *arguments: str) -> str:
    outcome = system.run(*arguments)
    assert outcome.returncode == 1, outcome.stdout
    assert "Traceback" not in outcome.stderr
    return outcome.stderr


def send(system: LocalSystem, user: str) -> dict[str, Any]:
    entry: dict[str, Any] = document(
        system, "send", "--to", "+254712345678", "--text", "Hello", "--user", user, "--message-id", f"for-{user}"
    )
    assert entry["status"] == "sent"
    return entry


def around_now() -> tuple[str, str, str, str]:
    """A period that holds everything that the test sends."""
    now = datetime.now(UTC)
    return "--from", (now - timedelta(hours=1)).isoformat(), "--to", (now + timedelta(hours=1)).isoformat()


def ahead(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0).isoformat()


def test_a_file_is_shown_then_recorded_once(running: LocalSystem, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    start = ahead(5)
    file.write_text(
        f"{HEADER}SpecificCustomer,file1,,0.65,{start},agreed\nSpecificCustomer,user123,,0.61,{start},agreed\n"
    )
    shown = text(running, "costs", "import", str(file), "--dry-run")
    assert "2 prices: 1 new, 1 changed, 0 unchanged" in shown
    assert "new prices are 0.65 KES" in shown
    assert "+1.7 %" in shown
    assert "Nothing was recorded." in shown
    history = ("costs", "history", "SpecificCustomer", "--customer", "file1")
    mine = [row for row in document(running, *history) if row["customerId"]]
    assert mine == []

    assert "--yes" in refusal(running, "costs", "import", str(file))
    assert "Recorded 2 prices" in text(running, "costs", "import", str(file), "--yes", "--by", "amina")
    assert "nothing to do" in text(running, "costs", "import", str(file), "--yes", "--by", "amina")
    mine = [row for row in document(running, *history) if row["customerId"]]
    assert [(row["price"], row["createdBy"], row["revision"]) for row in mine] == [("0.65", "amina", 1)]

    # A price that changed since is not set back by the same file, unless that is meant.
    text(
        running, "costs", "set", "SpecificCustomer", "0.7", "--customer", "file1", "--reason", "better", "--from", start
    )
    again = ("costs", "import", str(file), "--yes", "--by", "amina")
    assert "was imported before" in refusal(running, *again)
    assert "Recorded 1 price" in text(running, *again, "--idempotency-key", "back-to-the-file")


def test_every_line_at_fault_is_named_and_nothing_is_recorded(running: LocalSystem, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(f"{HEADER}SpecificCustomer,bad1,,0.6,{ahead(5)},agreed\nVIP,,,0.6,{ahead(5)},\nTukuPay,,,x,,x\n")
    said = refusal(running, "costs", "import", str(file), "--yes")
    assert [f"line {line}" in said for line in (2, 3, 4)] == [False, True, True]
    file.write_text(
        f"{HEADER}DirectCustomer,,,0.81,{ahead(5)},\nDirectCustomer,,,80,{ahead(6)},\nTukuPay,,,70,{ahead(6)},slip\n"
    )
    said = refusal(running, "costs", "import", str(file), "--yes")
    assert "line 3: ABOVE_CEILING, RELATIVE_CHANGE" in said
    assert "line 4:" in said
    assert len(document(running, "costs", "history", "DirectCustomer")) == 1


def test_what_only_pricing_can_judge_is_named_by_its_line_too(running: LocalSystem, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    lines = [f"SpecificCustomer,odd{number},,0.65,1999-12-31T00:00:00Z,agreed\n" for number in range(200)]
    file.write_text(f"{HEADER}\nSpecificCustomer,odd,,0.65,2026-01-01T00:00:00Z,a\x07b\n{''.join(lines)}")
    refused = refusal(running, "costs", "import", str(file), "--yes")
    assert "line 3: reason has a control character" in refused
    assert "line 4: effectiveFrom is outside the years 2000 to 2100" in refused
    assert re.search(r"and \d+ more", refused)
    assert "rows[" not in refused
    rehearsal = refusal(running, "costs", "rehearse", "--drafts", str(file), *around_now())
    assert "line 4: effectiveFrom is outside the years 2000 to 2100" in rehearsal


def test_importing_what_was_exported_changes_nothing(running: LocalSystem, tmp_path: Path) -> None:
    text(running, "costs", "set", "AppOwner", "0.9", "--app", "shop, the", "--reason", 'said "yes",\nthen no')
    file = tmp_path / "all.csv"
    assert str(file) in text(running, "costs", "export", str(file))
    assert text(running, "costs", "export").splitlines() == file.read_text().splitlines()
    shown = text(running, "costs", "import", str(file), "--yes")
    assert "0 new, 0 changed" in shown
    assert "nothing to do" in shown
    only = text(running, "costs", "export", "--level", "appowner")
    assert '"shop, the"' in only
    assert "TukuPay" not in only


def test_an_export_is_no_trap_for_a_spreadsheet_and_comes_back_exactly(running: LocalSystem, tmp_path: Path) -> None:
    for customer, reason in (("+254707509198", "=cmd|' /C calc'!A0"), ("=1+1", "@x"), ("'=quoted", "＝1+1")):
        price = ("costs", "set", "SpecificCustomer", "0.61", "--customer", customer, "--reason", reason)
        text(running, *price, "--from", "2026-01-01T00:00:00Z")
    exported = text(running, "costs", "export", "--level", "specificcustomer")
    for cell in (",'+254707509198,", ",'=1+1,", ",''=quoted,", ",'=cmd|' /C calc'!A0,", ",'@x,", ",'＝1+1,"):
        assert cell in exported
    for options, importing in (((), ()), (("--raw",), ("--raw",)), (("--bom",), ())):
        file = tmp_path / "prices.csv"
        text(running, "costs", "export", str(file), *options)
        assert file.read_bytes().startswith(b"\xef\xbb\xbf") is (options == ("--bom",))
        assert "0 new, 0 changed" in text(running, "costs", "import", str(file), "--yes", *importing)


def test_an_import_warns_of_ids_that_a_spreadsheet_has_spoiled(running: LocalSystem, tmp_path: Path) -> None:
    priced = ("costs", "set", "SpecificCustomer", "0.61", "--customer", "+254707111222", "--reason", "agreed")
    text(running, *priced, "--from", "2026-01-01T00:00:00Z")
    text(running, "accounts", "open", "+254707333444", "--mode", "prepaid")
    text(running, "accounts", "open", "254707555666", "--mode", "prepaid")
    text(running, "accounts", "open", "+254707555666", "--mode", "prepaid")
    file = tmp_path / "prices.csv"
    customers = ("254707111222", "254707333444", "254707555666", "254707777888", "2.54712E+11", "shop7")
    rows = [f"SpecificCustomer,{customer},,0.55,2026-02-01T00:00:00Z,hunt\n" for customer in customers]
    file.write_text(HEADER + "".join(rows))
    outcome = running.run("costs", "import", str(file), "--dry-run")
    assert outcome.returncode == 0, outcome.stderr
    warnings = [line for line in outcome.stderr.splitlines() if line.startswith("warning: ")]
    assert [line.split(":")[1].strip() for line in warnings] == ["line 6", "line 2", "line 3"]
    assert "looks like a number that a spreadsheet has shortened" in warnings[0]
    assert "+254707111222 has a price" in warnings[1]
    assert "+254707333444 has an account" in warnings[2]


def test_a_price_that_lies_ahead_is_withdrawn_and_explained(running: LocalSystem) -> None:
    setting = ("costs", "set", "SpecificCustomer", "0.55", "--customer", "ahead1", "--reason", "trial")
    key = ("--from", ahead(5), "--idempotency-key", "trial-1", "--by", "amina")
    cost = document(running, *setting, *key)
    assert "recorded before" in text(running, *setting, *key)
    before = document(running, "costs", "explain", "--customer", "ahead1", "--at", ahead(6))
    assert (before["price"], before["candidates"][0]["verdict"]) == ("0.55", "won")
    withdrawal = ("costs", "withdraw", cost["costId"], "--reason", "not signed", "--by", "amina")
    assert document(running, *withdrawal)["withdrawnBy"] == "amina"
    after = document(running, "costs", "explain", "--customer", "ahead1", "--at", ahead(6))
    assert (after["price"], after["candidates"][0]["verdict"]) == ("0.8", "withdrawn")
    then = ("--at", ahead(6), "--known-at", cost["recordedAt"].replace("Z", "999Z"))
    assert document(running, "costs", "explain", "--customer", "ahead1", *then)["price"] == "0.55"
    table = text(running, "costs", "explain", "--customer", "ahead1", "--at", ahead(6))
    assert "0.8 KES" in table
    assert "not signed" in table
    assert "(withdrawn)" in text(running, "costs", "history", "SpecificCustomer", "--customer", "ahead1")
    assert "COST_NOT_FOUND" in refusal(running, "costs", "withdraw", "cost_0", "--reason", "x")


def test_unusual_and_free_prices_need_to_be_meant(running: LocalSystem) -> None:
    unusual = ("costs", "set", "SpecificCustomer", "60", "--customer", "user123", "--reason", "x", "--from", ahead(9))
    assert "--override-guards" in refusal(running, *unusual)
    cost = document(running, *unusual, "--override-guards")
    assert cost["overriddenGuards"] == "ABOVE_CEILING, RELATIVE_CHANGE"
    text(running, "costs", "withdraw", cost["costId"], "--reason", "only tried")
    free = ("costs", "set", "SpecificCustomer", "0", "--customer", "free1", "--reason", "charity", "--from", ahead(9))
    assert "--allow-free" in refusal(running, *free)
    recorded = document(running, *free, "--allow-free")
    assert recorded["price"] == "0"
    # No other test is to come upon it in an export.
    text(running, "costs", "withdraw", recorded["costId"], "--reason", "only tried")


def test_a_rehearsal_says_what_the_traffic_would_have_cost(running: LocalSystem, tmp_path: Path) -> None:
    send(running, "rehearsed1")
    drafts = tmp_path / "drafts.csv"
    drafts.write_text(f"{HEADER}SpecificCustomer,rehearsed1,,0.5,2026-01-01T00:00:00Z,\n")
    rehearse = ("costs", "rehearse", "--drafts", str(drafts), *around_now())
    found = document(running, *rehearse)
    (mine,) = (total for total in found["byCustomer"] if total["key"] == "rehearsed1")
    assert mine == {
        "key": "rehearsed1",
        "messages": 1,
        "units": 1,
        "old": "0.8",
        "new": "0.5",
        "difference": "-0.3",
    }
    # Other tests send, too, and record prices afterwards.
    total = found["total"]["difference"]
    assert Decimal(total) == sum(Decimal(customer["difference"]) for customer in found["byCustomer"]) <= Decimal("-0.3")
    shown = text(running, *rehearse)
    assert f"difference {total} KES" in shown
    assert [total["key"] for total in found["byLevel"]][:1] == ["SpecificCustomer"]
    assert re.search(r"new level.*SpecificCustomer", shown, re.DOTALL)
    assert "draft line 2 priced 1 message" in shown
    assert found["drafts"] == [{"line": 2, "messages": 1, "units": 1, "new": "0.5"}]
    current = document(running, "costs", "current", "SpecificCustomer", "--customer", "rehearsed1")
    assert current["price"] == "0.8"


def test_a_rehearsal_says_which_line_rehearsed_nothing_and_why(running: LocalSystem, tmp_path: Path) -> None:
    """The file has no column for a reason: nothing is recorded that would need one."""
    later = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
    setting = ("costs", "set", "SpecificCustomer", "0.65", "--customer", "rehearsed2", "--reason", "agreed")
    increase = document(running, *setting, "--from", later)
    send(running, "rehearsed2")
    drafts = tmp_path / "drafts.csv"
    drafts.write_text(
        "level,customerId,appId,pricePerSms,effectiveFrom\n"
        "SpecificCustomer,rehearsed2,,0.5,2026-01-01T00:00:00Z\n"
        "SpecificCustomer,nobody,,0.5,2026-01-01T00:00:00Z\n"
    )
    rehearse = ("costs", "rehearse", "--drafts", str(drafts), *around_now())
    shown = text(running, *rehearse)
    assert (
        f"draft line 2 priced 0 messages: {increase['costId']} (SpecificCustomer) from {increase['effectiveFrom']} "
        "supersedes it" in shown
    )
    assert "draft line 3 priced 0 messages: the period has none that it could price" in shown
    first, second = document(running, *rehearse)["drafts"]
    assert first["supersededBy"]["costId"] == increase["costId"]
    assert (second["messages"], "supersededBy" in second) == (0, False)


def test_an_audit_finds_late_entries_and_says_so_by_its_exit_code(running: LocalSystem) -> None:
    entry = send(running, "audited1")
    audit = ("costs", "audit", *around_now(), "--user", "audited1")
    found = document(running, *audit)
    assert found["exceptions"] == []
    assert (found["totals"]["entries"], found["totals"]["asKnownNow"]) == (1, 1)

    late = ("--from", (datetime.now(UTC) - timedelta(hours=2)).isoformat())
    text(running, "costs", "set", "SpecificCustomer", "0.5", "--customer", "audited1", "--reason", "late", *late)
    found = document(running, *audit, code=1)
    (exception,) = found["exceptions"]
    assert (exception["outboxId"], exception["cause"]) == (entry["outboxId"], "late_entry")
    assert (exception["recorded"], exception["knownThen"], exception["knownNow"]) == ("0.8", "0.8", "0.5")
    assert found["totals"]["difference"] == "-0.3"
    outcome = running.run(*audit)
    names, values = (line.split("\t") for line in outcome.stdout.splitlines()[:2])
    shown = dict(zip(names, values, strict=True))
    assert (outcome.returncode, shown["cause"], shown["userId"]) == (1, "late_entry", "audited1")
    assert (shown["messages"], shown["for instance"]) == ("1", entry["outboxId"])


def test_a_period_that_is_none_is_refused_in_the_words_of_the_command(running: LocalSystem) -> None:
    turned_round = ("--from", ahead(1), "--to", ahead(0))
    assert "--to: is not after the start of the period" in refusal(running, "costs", "audit", *turned_round)
    slip = running.run("costs", "audit", "--from", "0206-11-01T00:00:00Z", "--to", "2026-12-01T00:00:00Z")
    assert slip.returncode == 2
    assert "is more than 3,660 days after --from" in slip.stderr


def test_the_copy_of_the_price_book_agrees_with_it(running: LocalSystem) -> None:
    send(running, "copied1")
    found = document(running, "costs", "copy-audit")
    assert found["copyChecksum"] == found["bookChecksum"]
    assert found["differing"] == []
    assert "bookChecksum" in text(running, "costs", "copy-audit")
