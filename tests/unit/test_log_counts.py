"""Every failure that is logged is counted under a stable name."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from service_kit.log_counts import LogCounts

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("messaging_service", "pricing_service", "gateway_http", "service_kit")
LEVELS = {"warning", "error", "exception", "critical"}


def shown(counts: LogCounts) -> set[str]:
    registry = CollectorRegistry()
    registry.register(counts)
    return {line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")}


def test_levels_and_reasons_of_alerts_are_shown_before_anything_fails() -> None:
    assert shown(LogCounts()) == {
        'tukupay_refusals_total{event="rpc.refused",reason="DATABASE_NOT_READY"} 0.0',
        'tukupay_refusals_total{event="rpc.refused",reason="DATABASE_UNAVAILABLE"} 0.0',
        'tukupay_refusals_total{event="batch_item.refused",reason="DATABASE_NOT_READY"} 0.0',
        'tukupay_refusals_total{event="batch_item.refused",reason="DATABASE_UNAVAILABLE"} 0.0',
        'tukupay_log_lines_total{level="warning"} 0.0',
        'tukupay_log_lines_total{level="error"} 0.0',
        'tukupay_log_lines_total{level="critical"} 0.0',
    }


def test_failures_are_counted_by_event_and_refusals_by_reason() -> None:
    counts = LogCounts()
    counts.count("error", {"event": "rpc.failed", "reason": "any text"})
    counts.count("info", {"event": "rpc.refused", "reason": "NO_PRICE"})
    counts.count("warning", {"event": "http.problem", "reason": "DATABASE_NOT_READY"})
    counts.count("info", {"event": "service.serving"})
    counts.count_library("error")
    found = shown(counts)
    assert found >= {
        'tukupay_failures_total{event="rpc.failed"} 1.0',
        'tukupay_failures_total{event="http.problem"} 1.0',
        'tukupay_failures_total{event="library"} 1.0',
        'tukupay_log_lines_total{level="error"} 2.0',
        'tukupay_refusals_total{event="rpc.refused",reason="NO_PRICE"} 1.0',
        'tukupay_refusals_total{event="http.problem",reason="DATABASE_NOT_READY"} 1.0',
    }
    assert not [line for line in found if "any text" in line or "service.serving" in line]


@pytest.mark.parametrize(
    ("level", "lines"),
    [("DEBUG", ["a", "rpc.refused", "b", "c"]), ("INFO", ["rpc.refused", "b", "c"]), ("ERROR", ["c"])],
)
def test_what_is_below_the_level_is_counted_and_not_written(level: str, lines: list[str]) -> None:
    code = f"""
import logging, sys, structlog
from prometheus_client import generate_latest
from service_kit.logs import configure_logs
from service_kit.metrics.registry import new_registry
configure_logs("test", {level!r})
log = structlog.get_logger()
log.debug("a"); log.info("rpc.refused", reason="NO_PRICE"); log.warning("b"); log.error("c")
logging.getLogger("some.library").error("words of its own")
sys.stderr.write(generate_latest(new_registry("messaging")).decode())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=ROOT)
    written = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert written == [*lines, "words of its own"]
    for line in (
        'tukupay_refusals_total{event="rpc.refused",reason="NO_PRICE"} 1.0',
        'tukupay_failures_total{event="b"} 1.0',
        'tukupay_failures_total{event="c"} 1.0',
        'tukupay_failures_total{event="library"} 1.0',
    ):
        assert line in done.stderr


def log_calls() -> Iterator[tuple[str, ast.expr]]:
    """The first argument of each call of a log, and where it is."""
    for service in SERVICES:
        for path in sorted((ROOT / service).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                    continue
                owner = node.func.value
                name = (
                    owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
                )
                if node.func.attr in LEVELS and name in {"log", "_log"}:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.args[0]


def test_events_of_failures_are_names_and_never_put_together() -> None:
    calls = list(log_calls())
    assert len(calls) > 50
    for where, event in calls:
        # A name that a class is given when it is made is as stable as one that stands here.
        if isinstance(event, ast.Constant):
            name = event.value
            assert isinstance(name, str), where
            assert name.replace(".", "").replace("_", "").isalpha(), where
        else:
            assert isinstance(event, ast.Attribute), where
