"""Tables cut nothing off: on a terminal of any width, and in a pipe, where they are plain lines."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

import sms_cli
from sms_cli.local import phone
from sms_cli.shared import terminal

ALERT = "alert_01a22fe37c2b7d3e9a51c6f0b8d4e2a1"
OUTBOX = "outbox_01a22fe37c2b7d3e9a51c6f0b8d4e2a1"
REASON = "agreed with the customer on the phone, after the third complaint of this month"


def show(monkeypatch: pytest.MonkeyPatch, table: Table, width: int | None, **options: set[str]) -> str:
    """What is printed on a terminal of that many columns; None for a pipe."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=width is not None, no_color=True, highlight=False, soft_wrap=True
    )
    monkeypatch.setattr(terminal, "out", console)
    terminal.print_table(table, **options)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())


def alerts() -> Table:
    table = Table("alert", "cause", "cause of the other", "value", "why", title="alerts")
    table.add_row(ALERT, "not_ours", "not_on_invoice", "1,000,000.123456", terminal.cell(REASON))
    table.add_row(OUTBOX, "[red]not_on_invoice[/]", "", "7", "a\tb\nc")
    return table


@pytest.mark.parametrize("width", [40, 80, 100, 130, 200])
def test_a_terminal_shows_ids_numbers_and_causes_whole(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    shown = show(monkeypatch, alerts(), width, wraps={"why"})
    for value in (ALERT, OUTBOX, "not_on_invoice", "not_ours", "1,000,000.123456"):
        assert value in shown
    assert "…" not in shown
    words = " ".join(re.sub(r"[│┃]", " ", shown).split())
    assert all(word in words for word in REASON.split())


@pytest.mark.parametrize("width", [40, 60, 70, 80, 130])
def test_an_id_among_words_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    table = Table("booked at", "message or reason", "amount", "events")
    table.add_row("2026-12-01T09:18:19.192Z", OUTBOX, "-0.8", "sms.delivered sms.failed")
    table.add_row("2026-12-01T09:18:22.463Z", REASON, "5", "balance.low")
    shown = show(monkeypatch, table, width, wraps={"message or reason", "events"})
    assert OUTBOX in shown
    words = re.sub(r"[│┃]", " ", shown).split()
    assert {"sms.delivered", "sms.failed", "balance.low", *REASON.split()} <= set(words)
    if shown.startswith("┏"):
        assert max(map(len, shown.splitlines())) <= width


def test_a_narrow_terminal_shows_each_row_as_names_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = show(monkeypatch, alerts(), 80).splitlines()
    assert lines[0] == "alerts"
    assert lines[1].split() == ["alert", ALERT]
    assert any(line.split() == ["value", "1,000,000.123456"] for line in lines)
    # What has no value has no line.
    assert sum(line.startswith("cause of the other") for line in lines) == 1


def test_a_pipe_gets_lines_with_tabs_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert show(monkeypatch, alerts(), None, wraps={"why"}).splitlines() == [
        "alert\tcause\tcause of the other\tvalue\twhy",
        f"{ALERT}\tnot_ours\tnot_on_invoice\t1,000,000.123456\t{REASON}",
        f"{OUTBOX}\tnot_on_invoice\t\t7\ta b c",
    ]


def test_a_pipe_has_room_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, Table("a"), None)
    assert terminal.is_wide(10_000)
    show(monkeypatch, Table("a"), 80)
    assert (terminal.is_wide(80), terminal.is_wide(81)) == (True, False)


def test_every_command_prints_its_tables_that_way() -> None:
    source = Path(sms_cli.__file__).parent
    other = [
        f"{path.name}: {line.strip()}"
        for path in source.rglob("*.py")
        if path.name != "terminal.py"
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"out\.print\((table|history_table|_candidates)", line)
    ]
    # Of costs, two tables have a narrow form of their own, which folds.
    assert other == ["costs_commands.py: out.print(table)"]


def test_of_many_phones_the_last_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=80)
    for module in (terminal, phone):
        monkeypatch.setattr(module, "out", console)
    listed = [{"number": f"+2547{n:08}", "messages": 1, "lastReceivedAt": "2026-12-01T00:00:00Z"} for n in range(60)]
    phone.show_phones({"phones": listed})
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "+254700000049" in shown
    assert "+254700000050" not in shown
    assert "and 10 phones more; --json lists all" in shown
