"""The alerts of deploy/alerts name metrics that there are, say what to do, and are each tested for firing or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.system.exposition import GUIDE
from tests.system.promql import OF_PROMETHEUS, ROOT, RULES, readings, recorded, rules

TESTS = sorted((RULES.parent / "tests").glob("*.yaml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDED = recorded()


def metrics_in(expression: promql_parser.Expr) -> set[str]:
    """The names of the series that an expression reads."""
    return {reading.metric for reading in readings(expression)}


def documented() -> set[str]:
    """The metrics in the table of the guide, which is held equal to what the services export."""
    return set(re.findall(r"^\| `(tukupay_\w+)`", GUIDE.read_text("utf-8"), re.MULTILINE))


def test_there_are_rules() -> None:
    assert len(ALERTS) >= 29
    assert len(ALERTS) + len(RECORDED) == len(rules())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_reads_series_that_there_are(rule: dict[str, Any]) -> None:
    used = metrics_in(promql_parser.parse(rule["expr"]))
    assert used
    assert {_SUFFIX.sub("", name) for name in used} <= documented() | OF_PROMETHEUS | RECORDED


def test_the_names_of_metrics_are_found_wherever_they_stand_in_an_expression() -> None:
    expression = 'sum by (a) (rate(one_total{b="c"}[5m])) > 0.5 * max(two) or histogram_quantile(0.9, three_bucket)'
    assert metrics_in(promql_parser.parse(expression)) == {"one_total", "two", "three_bucket"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"[1-9][0-9]*[smh]", rule["for"])
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    runbook = ROOT / rule["annotations"]["runbook_url"]
    assert runbook == RUNBOOKS / f"{name}.md"
    text = runbook.read_text("utf-8")
    assert text.startswith(f"# {name}\n")
    assert "\n## Look\n" in text
    assert "\n## Do\n" in text


@pytest.mark.parametrize("name", ALERTS)
def test_the_index_of_the_runbooks_and_the_guide_name_an_alert_as_urgent_as_it_is(name: str) -> None:
    index = (RUNBOOKS / "README.md").read_text("utf-8")
    assert f"| [{name}]({name}.md) | {ALERTS[name]['labels']['severity']} |" in index
    assert f"`{name}`" in GUIDE.read_text("utf-8")


def test_each_alert_is_tested_for_firing_and_for_not_firing() -> None:
    tested = [test["name"] for path in TESTS for test in yaml.safe_load(path.read_text("utf-8"))["tests"]]
    assert sorted(tested) == sorted(f"{name} {how}" for name in ALERTS for how in ("fires", "is silent"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_a_test_asks_for_what_its_name_says(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    assert [(path.parent / file).resolve() for file in document["rule_files"]] == [RULES]
    for test in document["tests"]:
        name, _, how = test["name"].partition(" ")
        (question,) = test["promql_expr_test"]
        assert question["expr"] == f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
        assert question["exp_samples"] == ([{"labels": "{}", "value": 1}] if how == "fires" else [])


def test_runbooks_name_settings_and_lines_of_logs_that_there_are() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for package in ("service_kit", "messaging_service", "pricing_service", "gateway_http")
        for path in (ROOT / package).rglob("*.py")
    )
    known = KNOWN_ELSEWHERE | documented()
    strange: list[str] = []
    for page in RUNBOOKS.glob("*.md"):
        prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for word in re.findall(r"`([^`\n]+)`", prose):
            is_name = re.fullmatch(r"[A-Z]+(?:_[A-Z]+)+|[a-z_]+\.[a-z_]+|[a-z]+_[a-z_]+", word)
            if is_name and word not in source and word not in known:
                strange.append(f"{page.name}: {word}")
    assert strange == []


KNOWN_ELSEWHERE = {
    "ledger_entry", "message_event", "message_part",
    "max_connections", "default_pool_size", "pg_terminate_backend", "target_session_attrs", "carrier_message_id",
    "process_cpu_seconds_total", "synchronous_mode", "synchronous_mode_strict", "pg_stat_replication", "sync_state",
    "archive_command", "restore_command", "recovery_target_action", "recovery_target_time",
}  # fmt: skip
"""Names of tables, of PostgreSQL, Patroni and poolers, and of the metrics of any process."""
