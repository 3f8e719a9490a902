"""The dashboards of deploy/dashboards are what their program makes, say what they show, and lead to runbooks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import promql_parser
import pytest

from deploy.dashboards.generate import BOARDS as MADE
from deploy.dashboards.generate import FOLDER, text_of
from tests.system.exposition import GUIDE
from tests.system.promql import BOARDS, OF_PROMETHEUS, ROOT, panels, queries, readings, recorded


def test_the_committed_dashboards_are_what_the_program_makes() -> None:
    assert {path.name: path.read_text("utf-8") for path in BOARDS} == {
        f"{board.name}.json": text_of(board) for board in MADE
    }
    assert {path.parent for path in BOARDS} == {FOLDER}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_dashboard_asks_the_chosen_prometheus_and_fills_its_rows(board: Path) -> None:
    document = json.loads(board.read_text("utf-8"))
    assert document["uid"] == f"tukupay-{board.stem}"
    variables = {variable["name"]: variable["type"] for variable in document["templating"]["list"]}
    assert variables == {"datasource": "datasource", "runbooks": "textbox"}
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels(board):
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_panel_says_what_it_shows_in_which_unit_and_what_to_do(board: Path) -> None:
    for panel in panels(board):
        assert re.fullmatch(r"[A-Z`0-9].{10,}[.]", panel["description"]), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for link in panel["links"]:
            page = link["url"].removeprefix("${runbooks}/")
            assert (ROOT / "docs" / "runbooks" / page).is_file(), link["url"]


def test_every_query_reads_series_that_the_guide_has() -> None:
    known = set(re.findall(r"^\| `(tukupay_\w+)`", GUIDE.read_text("utf-8"), re.MULTILINE)) | recorded() | OF_PROMETHEUS
    unknown = {
        f"{where}: {reading.metric}"
        for where, expression, _ in queries()
        for reading in readings(promql_parser.parse(expression))
        if re.sub(r"_(bucket|sum|count)$", "", reading.metric) not in known
        and not reading.metric.startswith(("process_", "python_"))
    }
    assert unknown == set()


def test_every_metric_of_the_guide_is_on_a_dashboard() -> None:
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", reading.metric)
        for _, expression, _ in queries()
        for reading in readings(promql_parser.parse(expression))
    }
    assert set(re.findall(r"^\| `(tukupay_\w+)`", GUIDE.read_text("utf-8"), re.MULTILINE)) - shown == NOT_SHOWN


NOT_SHOWN = {
    # Their rates are those of the posts, texts and prices that are shown.
    "tukupay_webhook_events_told_total", "tukupay_webhook_deliveries_recorded_total", "tukupay_webhook_post_seconds",
    "tukupay_webhook_endpoints", "tukupay_channel_events_total", "tukupay_channel_text_seconds",
    "tukupay_channel_given_up_total", "tukupay_alerts_raised_total", "tukupay_alerts_resolved_total",
    "tukupay_price_copy_answers", "tukupay_price_copy_calls_total", "tukupay_price_copy_changes_total",
    "tukupay_grpc_client_call_seconds", "tukupay_send_batch_wait_seconds",
    # The lines by level are shown; the names are for looking closer.
    "tukupay_failures_total",
}  # fmt: skip
"""Metrics without a panel."""
