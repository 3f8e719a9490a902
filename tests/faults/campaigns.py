"""The long campaigns of faults and money, one after another, with a report: `python -m tests.faults.campaigns`.

Each is a command of its own that anybody can run again by itself; the report has it word for word, with its seed, how
long it took, and what it said. One that fails does not keep the others from running; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from tests.system import pgbouncer
from tests.system.effort import LONG

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = ROOT / "faults-report.md"
LAST_WORDS: Final = 40
"""Lines of a campaign that failed."""

LONG_FORMS: Final = (
    "tests/contract/test_cost_history_properties.py",
    "tests/contract/test_cost_repository_contract.py",
    "tests/contract/test_watch_properties.py",
    "tests/integration/gateway/system/test_openapi_fuzz.py",
    "tests/integration/messaging/prices/test_live_prices_interleavings.py",
    "tests/integration/messaging/accounts/test_money_invariants.py",
    "tests/integration/messaging/sending/test_stored_as_validated.py",
    "tests/unit/messaging/shared/test_phone_numbers.py",
    "tests/unit/messaging/prices/test_price_copy_properties.py",
    "tests/unit/pricing/test_price_book.py",
)
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A command, and what of its output is worth keeping."""

    name: str
    command: Sequence[str]
    size: str
    """How much of what, in words."""
    seed: str
    """What chose its faults; `none` where nothing is chosen."""
    words: str
    """A pattern of the lines that tell how it went."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that make it long."""

    @property
    def spelled(self) -> str:
        """As one would type it."""
        words = [f"{name}={value}" for name, value in self.settings.items()]
        return " ".join([*words, *self.command]).replace(sys.executable, ".venv/bin/python")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a campaign."""

    campaign: Campaign
    code: int
    seconds: float
    said: Sequence[str]
    """Its words; all of its last ones when it failed."""


def plan(scale: float) -> list[Campaign]:
    """All campaigns; `scale` is how long they are, 1 for what a release is held to."""

    def times(most: int, least: int = 1) -> int:
        return max(least, int(most * scale))

    operations, kills, pdus = times(1_000_000, 4_000), times(300, 11), times(1_000_000, 50_000)
    examples, rounds, seeds = times(2_000, 20), times(5), times(20)
    ended = r"\d+ (passed|failed)"
    return [
        Campaign(
            "money",
            (*PYTEST, "tests/integration/messaging/accounts/test_money_campaign.py"),
            f"{operations:,} operations of twelve clients over connections that break",
            "20241122",
            rf"operations|{ended}",
            {"TUKUPAY_MONEY_OPERATIONS": str(operations)},
        ),
        Campaign(
            "life of messages",
            (*PYTEST, "--hypothesis-seed=1", "tests/integration/messaging/sending/test_outbox_state_machine.py"),
            f"{examples:,} random histories with crashes, each checked after every step",
            "1",
            ended,
            {"OUTBOX_MACHINE_EXAMPLES": str(examples)},
        ),
        Campaign(
            "properties",
            (*PYTEST, *LONG_FORMS),
            "rules that are held against random input, with some ten times as many examples as in the suite",
            "chosen by hypothesis",
            ended,
            {LONG: "1"},
        ),
        Campaign(
            "notices",
            (*PYTEST, "tests/faults/test_notices_are_killed.py"),
            f"{kills} processes killed that post to webhooks and raise alerts",
            "20261130",
            rf"^seed|{ended}",
            {"TUKUPAY_NOTICE_KILLS": str(kills), "TUKUPAY_NOTICE_SEED": "20261130"},
        ),
        Campaign(
            "database",
            (*PYTEST, "tests/faults/test_disk_full.py", "tests/faults/test_database_faults.py"),
            f"{seeds} times each over TCP and the Unix socket, under 50 sends a second: the database killed, in part "
            "or whole, standing still or read-only; once with a full disk",
            "1",
            rf"seed \d|{ended}",
            {"TUKUPAY_DATABASE_SEEDS": str(seeds), "TUKUPAY_DATABASE_FIRST_SEED": "1"},
        ),
        *(
            Campaign(
                f"kills, round {number}",
                (
                    *PYTEST,
                    "--ignore=tests/faults/test_notices_are_killed.py",
                    "--ignore=tests/faults/test_database_faults.py",
                    "tests/faults",
                ),
                "services, carrier and database killed, frozen, restarted and replaced under load",
                "none",
                ended,
                {LONG: "1"},
            )
            for number in range(1, rounds + 1)
        ),
        Campaign(
            "lifecycle",
            (*PYTEST, "tests/lifecycle"),
            "three processes of each kind behind names, replaced, killed and scaled under 50 sends a second",
            "none",
            rf"phase |{ended}",
            {LONG: "1"},
        ),
        Campaign(
            "http",
            (*PYTEST, "tests/faults/test_http_is_held_up.py"),
            "500 silent and dripping connections and heads without end, beside 1,000 requests of another caller",
            "none",
            rf"^p99|{ended}",
            {"TUKUPAY_HTTP_CONNECTIONS": "500"},
        ),
        Campaign(
            "smpp",
            (sys.executable, "-m", "tests.faults.fuzz_smpp", "--pdus", str(pdus), "--seed", "24"),
            f"{pdus:,} fuzzed PDUs",
            "24",
            r'"(pdus|links|seconds|faults|memory\w+)"',
        ),
    ]


def behind_pgbouncer(found: str | None) -> list[Campaign]:
    """The suites of both services with every pool of theirs through PgBouncer; none without one that is new enough."""
    if found is None or pgbouncer.version(found) < pgbouncer.OLDEST:
        return []
    return [
        Campaign(
            "pgbouncer",
            (*PYTEST, "tests/contract", "tests/integration/pricing", "tests/integration/messaging"),
            f"the contract and integration suites through PgBouncer {'.'.join(map(str, pgbouncer.version(found)))}",
            "none",
            r"\d+ (passed|failed)",
            {pgbouncer.SETTING: found},
        )
    ]


def run(campaign: Campaign, output: TextIO) -> Result:
    """Runs one to its end; everything that it says goes to `output` too."""
    began, lines = time.monotonic(), list[str]()
    child = subprocess.Popen(
        campaign.command,
        cwd=ROOT,
        env={**os.environ, **campaign.settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            output.write(line)
            lines.append(line.rstrip())
    said = [line for line in lines if re.search(campaign.words, line)] if child.returncode == 0 else lines[-LAST_WORDS:]
    return Result(campaign, child.returncode, time.monotonic() - began, said)


def revision() -> str:
    """The commit that was tried, and whether more than that lay in the folder."""
    described = subprocess.run(
        ("git", "describe", "--always", "--dirty", "--abbrev=12"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"


def report(results: Sequence[Result], began: datetime, version: str) -> str:
    """What was run and what came of it, in Markdown."""
    lines = [
        "# Campaigns of faults and money",
        "",
        f"Begun {began:%Y-%m-%d %H:%M} UTC at {version}, on {os.cpu_count()} CPUs ({platform.machine()}), "
        f"Python {platform.python_version()}.",
        "",
        "| campaign | what | seed | took | result |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in results:
        verdict = "passed" if each.code == 0 else f"**failed** ({each.code})"
        campaign = each.campaign
        lines.append(f"| {campaign.name} | {campaign.size} | {campaign.seed} | {each.seconds:,.0f} s | {verdict} |")
    for each in results:
        lines += ["", f"## {each.campaign.name}", "", "```", f"$ {each.campaign.spelled}", *each.said, "```"]
    return "\n".join(lines) + "\n"


def run_all(
    campaigns: Sequence[Campaign], where: Path, output: TextIO, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Runs them all; the report is written anew after each, so that a long night is not lost."""
    began, version, results = now(), revision(), list[Result]()
    for campaign in campaigns:
        output.write(f"== {campaign.name}: {campaign.size}\n")
        results.append(run(campaign, output))
        where.write_text(report(results, began, version))
    return 1 if any(each.code for each in results) else 0


def main() -> int:
    """Runs what was asked for."""
    found = pgbouncer.program()
    pooled = behind_pgbouncer(found)
    names = [campaign.name for campaign in [*plan(0), *pooled]]
    parser = argparse.ArgumentParser(description="Runs the long campaigns of faults and money, and writes a report.")
    parser.add_argument("--only", action="append", help=f"campaigns that begin like this: {', '.join(names)}")
    parser.add_argument("--scale", type=float, default=1.0, help="how long they are; 1 takes hours, 0 some minutes")
    parser.add_argument("--report", type=Path, default=REPORT)
    chosen = parser.parse_args()
    if not pooled:
        sys.stdout.write(
            f"nothing runs through PgBouncer: no version from 1.21 was found; name it by {pgbouncer.SETTING}\n"
        )
    campaigns = [
        campaign
        for campaign in [*plan(chosen.scale), *pooled]
        if not chosen.only or any(campaign.name.startswith(word) for word in chosen.only)
    ]
    if not campaigns:
        parser.error(f"no campaign begins like that; there are {', '.join(names)}")
    code = run_all(campaigns, chosen.report, sys.stdout)
    sys.stdout.write(f"the report is in {chosen.report}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
