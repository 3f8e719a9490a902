"""Medians over repeated runs, and what the targets make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

import msgspec

from benchmarks.runs import Run, Scenario

PARTS = ("gateway", "messaging", "pricing", "postgres", "sandbox", "driver")
"""In the order of tables."""

KANNEL_SPOOL_PER_S = {1: 2_042, 16: 2_741, 64: 2_480, 256: 2_136}
"""Kannel 1.4.5 with its spool store on a machine of this kind, by connections."""
JASMIN_PER_S = {1: 545, 16: 718, 64: 723, 256: 640}
"""What Jasmin 0.11 accepted on a machine of this kind, by connections; the carrier got less."""

MAIN_CONCURRENCY = 64
JASMIN_FACTOR = 8
HALF_LOAD_P99_MS = 25
LONE_CALLER_P50_MS = 5
BATCH_PER_S = 5_000
MEMORY_MB = 150


class Spread(msgspec.Struct, frozen=True):
    """Of a figure over the repeats."""

    median: float
    min: float
    max: float


class Summary(msgspec.Struct, frozen=True):
    """Of one scenario."""

    scenario: Scenario
    repeats: int
    carrier_per_s: Spread
    p50_ms: Spread
    p95_ms: Spread
    p99_ms: Spread
    max_ms: Spread
    receipts_per_s: Spread
    cpu_us: dict[str, Spread]
    busy_cores: Spread
    foreign_cores: Spread
    memory_mb: dict[str, Spread]
    answered: dict[str, int]
    """Messages of all repeats together, warm-up and drain included, by answer."""
    lost: int
    doubled: int
    problems: list[str]


class Verdict(msgspec.Struct, frozen=True):
    """A target and what was measured."""

    target: str
    wanted: str
    measured: str
    met: bool


def summarize(runs: Sequence[Run]) -> Summary:
    """Of runs of one scenario."""

    def over(figure: Callable[[Run], float]) -> Spread:
        values = [figure(run) for run in runs]
        return Spread(round(median(values), 3), min(values), max(values))

    answered: dict[str, int] = {}
    for run in runs:
        for outcome, count in run.books.answered.items():
            answered[outcome] = answered.get(outcome, 0) + count
    return Summary(
        scenario=runs[0].scenario,
        repeats=len(runs),
        carrier_per_s=over(lambda run: run.carrier_per_s),
        p50_ms=over(lambda run: run.latency.p50),
        p95_ms=over(lambda run: run.latency.p95),
        p99_ms=over(lambda run: run.latency.p99),
        max_ms=over(lambda run: run.latency.max),
        receipts_per_s=over(lambda run: run.receipts_per_s),
        cpu_us={part: over(lambda run, part=part: run.cpu_us[part]) for part in PARTS},  # type: ignore[misc]
        busy_cores=over(lambda run: run.busy_cores),
        foreign_cores=over(lambda run: run.foreign_cores),
        memory_mb={part: over(lambda run, part=part: run.memory_mb[part]) for part in PARTS},  # type: ignore[misc]
        answered=answered,
        lost=sum(run.books.lost for run in runs),
        doubled=sum(run.books.carrier_repeated for run in runs),
        problems=[problem for run in runs for problem in run.books.problems],
    )


def verdicts(summaries: Iterable[Summary]) -> list[Verdict]:
    """Of the targets that these scenarios speak of, and of the promise that holds for all."""
    found: list[Verdict] = []
    all_of_them = list(summaries)
    for summary in all_of_them:
        found.extend(_of_scenario(summary))
    found.append(_memory(all_of_them))
    lost = sum(summary.lost for summary in all_of_them)
    doubled = sum(summary.doubled for summary in all_of_them)
    mismatches = sum(len(summary.problems) for summary in all_of_them)
    found.append(
        Verdict(
            "what was lost, submitted twice, or does not add up",
            "nothing",
            f"{lost} lost, {doubled} twice, {mismatches} mismatches",
            lost == doubled == mismatches == 0,
        )
    )
    return found


def _of_scenario(summary: Summary) -> Iterable[Verdict]:
    scenario = summary.scenario
    rate = summary.carrier_per_s.median
    if scenario.mode == "batch":
        wanted = f"over {BATCH_PER_S:,}/s"
        yield Verdict(f"{scenario.name}: messages at the carrier", wanted, f"{rate:,.0f}/s", rate > BATCH_PER_S)
    elif scenario.rate is not None:
        p99 = summary.p99_ms.median
        wanted = f"under {HALF_LOAD_P99_MS} ms"
        yield Verdict(f"{scenario.name} (half load): p99", wanted, f"{p99:.1f} ms", p99 < HALF_LOAD_P99_MS)
    elif scenario.concurrency == 1:
        p50 = summary.p50_ms.median
        wanted = f"under {LONE_CALLER_P50_MS} ms"
        yield Verdict("lone caller: median latency", wanted, f"{p50:.2f} ms", p50 < LONE_CALLER_P50_MS)
    elif scenario.concurrency == MAIN_CONCURRENCY:
        for peer, wanted_rate in (
            ("Kannel with its spool store", KANNEL_SPOOL_PER_S[MAIN_CONCURRENCY]),
            (f"{JASMIN_FACTOR} × what Jasmin accepts", JASMIN_FACTOR * JASMIN_PER_S[MAIN_CONCURRENCY]),
        ):
            yield Verdict(
                f"{scenario.name}: at least {peer}", f"{wanted_rate:,}/s", f"{rate:,.0f}/s", rate >= wanted_rate
            )


def _memory(summaries: Iterable[Summary]) -> Verdict:
    services = ("gateway", "messaging", "pricing")
    most, part = max((summary.memory_mb[part].max, part) for summary in summaries for part in services)
    return Verdict("resident memory of a service", f"under {MEMORY_MB} MB", f"{most:.0f} MB ({part})", most < MEMORY_MB)
