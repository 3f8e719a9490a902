"""Results for people: tables at the terminal, and the same in Markdown for the README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from benchmarks.driving import FAILED, PENDING, REFUSED, SENT, UNCERTAIN
from benchmarks.machine import Machine
from benchmarks.summary import PARTS, Spread, Summary, Verdict

Rows = list[list[str]]

_RATES = ["", "at the carrier/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "receipts/s", "cores busy (foreign)"]
_CPU = ["CPU µs a message", *PARTS, "sum without driver and sandbox", "sum"]
_MEMORY = ["memory MB", *PARTS]
_BOOKS = ["all repeats", "sent", "pending", "failed", "not recorded", "uncertain", "lost", "twice", "mismatches"]
_VERDICTS = ["target", "wanted", "measured", "met"]

Sheet = tuple[list[str], Rows]


def sheets(summaries: Sequence[Summary], verdicts: Iterable[Verdict]) -> list[Sheet]:
    """Heads and rows of all tables."""
    return [
        (_RATES, [_rates(summary) for summary in summaries]),
        (_CPU, [_cpu(summary) for summary in summaries]),
        (_MEMORY, [_memory(summary) for summary in summaries]),
        (_BOOKS, [_books(summary) for summary in summaries]),
        (_VERDICTS, [[each.target, each.wanted, each.measured, "yes" if each.met else "no"] for each in verdicts]),
    ]


def terminal(sheet: Sheet) -> Table:
    """A table for the terminal."""
    head, rows = sheet
    table = Table()
    for number, title in enumerate(head):
        table.add_column(title, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def markdown(all_sheets: Iterable[Sheet], machine: Machine, settings: str) -> str:
    """Everything as Markdown."""
    parts = [
        f"Measured {machine.at} at commit {machine.commit}: {machine.cores} cores ({machine.cpu}), "
        f"{machine.memory_gb:g} GB, Linux {machine.kernel}, {machine.file_system}; Python {machine.python}, "
        f"grpcio {machine.grpcio}, PostgreSQL {machine.postgresql}; load average before: {machine.load_before:g}. "
        f"{settings} Medians, with min to max in brackets."
    ]
    for head, rows in all_sheets:
        align = ["---", *("---:" for _ in head[1:])]
        parts.append("\n".join("| " + " | ".join(row) + " |" for row in (head, align, *rows)))
    return "\n\n".join(parts)


def with_section(document: str, name: str, text: str) -> str:
    """The document with the text between its marks of that name; raises ValueError when it has none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = document.partition(begin)
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise ValueError(f"the document has no {begin} … {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def _spread(spread: Spread, form: str = ",.0f") -> str:
    median = f"{spread.median:{form}}"
    return median if spread.min == spread.max else f"{median} ({spread.min:{form}} to {spread.max:{form}})"


def _milliseconds(spread: Spread) -> str:
    return _spread(spread, ".2f" if spread.max < 10 else ".1f" if spread.max < 100 else ",.0f")


def _rates(summary: Summary) -> list[str]:
    return [
        summary.scenario.name,
        _spread(summary.carrier_per_s),
        *(_milliseconds(each) for each in (summary.p50_ms, summary.p95_ms, summary.p99_ms)),
        f"{summary.max_ms.max:,.0f}",
        _spread(summary.receipts_per_s),
        f"{summary.busy_cores.median:.2f} ({summary.foreign_cores.median:.2f})",
    ]


def _cpu(summary: Summary) -> list[str]:
    medians = {part: summary.cpu_us[part].median for part in PARTS}
    ours = sum(medians.values()) - medians["driver"] - medians["sandbox"]
    figures = (*medians.values(), ours, sum(medians.values()))
    return [summary.scenario.name, *(f"{figure:,.0f}" for figure in figures)]


def _memory(summary: Summary) -> list[str]:
    return [summary.scenario.name, *(f"{summary.memory_mb[part].max:,.0f}" for part in PARTS)]


def _books(summary: Summary) -> list[str]:
    answers = (summary.answered.get(outcome, 0) for outcome in (SENT, PENDING, FAILED, REFUSED, UNCERTAIN))
    counts = (*answers, summary.lost, summary.doubled, len(summary.problems))
    return [summary.scenario.name, *(f"{count:,}" for count in counts)]
