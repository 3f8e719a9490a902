"""The program that runs the long campaigns."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from tests.faults.campaigns import Campaign, behind_pgbouncer, plan, run_all


def says(name: str, words: str, code: int = 0) -> Campaign:
    program = f"import os; print('noise'); print(os.environ['WORD'], {words!r}); raise SystemExit({code})"
    return Campaign(name, (sys.executable, "-c", program), "a few words", "7", "^counted", {"WORD": "counted"})


def test_the_report_has_what_was_run_and_what_each_said_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    where = tmp_path / "report.md"
    assert run_all([says("first", "3", code=3), says("second", "5")], where, io.StringIO()) == 1
    told = where.read_text()
    assert re.search(r"^\| first \| a few words \| 7 \| \d+ s \| \*\*failed\*\* \(3\) \|$", told, re.MULTILINE)
    assert re.search(r"^\| second \| a few words \| 7 \| \d+ s \| passed \|$", told, re.MULTILINE)
    # Of what passed its own words, of what failed all that it said last.
    first, second = told.split("## second")
    assert "noise\ncounted 3" in first
    assert "counted 5" in second
    assert "noise" not in second.split("raise SystemExit")[1]
    assert "$ WORD=counted .venv/bin/python -c" in second


def test_the_suites_run_through_pgbouncer_where_one_is_found(tmp_path: Path) -> None:
    found = tmp_path / "pgbouncer"
    found.write_text("#!/bin/sh\necho PgBouncer 1.24.1\n")
    found.chmod(0o755)
    (campaign,) = behind_pgbouncer(str(found))
    assert "PgBouncer 1.24.1" in campaign.size
    assert f"TUKUPAY_TEST_PGBOUNCER={found}" in campaign.spelled
    assert all((Path(__file__).parents[2] / path).exists() for path in campaign.command if path.startswith("tests/"))
    assert behind_pgbouncer(None) == []
    found.write_text("#!/bin/sh\necho PgBouncer 1.18.0\n")
    assert behind_pgbouncer(str(found)) == []


def test_every_campaign_grows_with_the_scale_and_names_its_seed() -> None:
    short, long = plan(0.0), plan(1.0)
    assert {each.name for each in short} <= {each.name for each in long}
    assert "1,000,000 operations" in long[0].size
    assert "4,000 operations" in short[0].size
    assert all(each.seed for each in long)
    assert all((Path(__file__).parents[2] / each.command[-1]).exists() for each in short if "pytest" in each.command)
