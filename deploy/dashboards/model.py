"""What a dashboard is made of, and its form as Grafana reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

WIDTH: Final = 24
"""Columns of Grafana's grid."""
HEIGHT: Final = 8
RUNBOOKS: Final = "docs/runbooks"
"""What the variable `runbooks` is unless somebody enters where they are published."""
DATASOURCE: Final = "datasource"
_SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    expression: str
    legend: str
    """By Grafana's template: `{{label}}`."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph, or one number."""

    title: str
    meaning: str
    """What it shows, and what is normal."""
    unit: str
    queries: tuple[Query, ...]
    runbook: str | None = None
    """Name of the page that says what to do; None when no alert is about it."""
    limit: float | None = None
    """From here on it is red; None for no such line."""
    low: float | None = None
    """Below it is red: for what should not fall."""
    kind: Literal["graph", "number"] = "graph"
    is_stacked: bool = False
    has_exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beside each other under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    name: str
    """Of its file, and of its address in Grafana."""
    title: str
    meaning: str
    rows: tuple[Row, ...]


def rendered(board: Board) -> models.Dashboard:
    """The dashboard as the SDK builds it; the same board gives the same one each time."""
    made = (
        dashboard.Dashboard(f"TukuPay SMS: {board.title}")
        .uid(f"tukupay-{board.name}")
        .description(board.meaning)
        .tags(["tukupay-sms"])
        .timezone("browser")
        .refresh("30s")
        .time("now-3h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("TukuPay SMS")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["tukupay-sms"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(dashboard.DatasourceVariable(DATASOURCE).label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.TextBoxVariable("runbooks")
            .label("Runbooks")
            .description("where the folder docs/runbooks is published")
            .default_value(RUNBOOKS)
        )
    )
    y = number = 0
    for row in board.rows:
        number += 1
        made = made.with_row(dashboard.Row(row.title).id(number).grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=y)))
        y += 1
        width = WIDTH // len(row.panels)
        height = HEIGHT // 2 if all(panel.kind == "number" for panel in row.panels) else HEIGHT
        for column, panel in enumerate(row.panels):
            number += 1
            place = models.GridPos(h=height, w=width, x=column * width, y=y)
            made = made.with_panel((_number if panel.kind == "number" else _graph)(panel, number, place))
        y += height
    return made.build()


def _graph(panel: Panel, number: int, place: models.GridPos) -> timeseries.Panel:
    graph = (
        timeseries.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.meaning)
        .unit(panel.unit)
        .min(0)
        .fill_opacity(20 if panel.is_stacked else 0)
        .datasource(_SOURCE)
        .grid_pos(place)
        .links(_links(panel))
        .thresholds(_thresholds(panel))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .targets(_targets(panel))
    )
    if panel.is_stacked:
        graph = graph.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if panel.limit is not None or panel.low is not None:
        line = common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED)
        graph = graph.thresholds_style(line)
    return graph


def _number(panel: Panel, number: int, place: models.GridPos) -> stat.Panel:
    return (
        stat.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.meaning)
        .unit(panel.unit)
        .datasource(_SOURCE)
        .grid_pos(place)
        .links(_links(panel))
        .thresholds(_thresholds(panel))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(
            common_models.BigValueTextMode.VALUE_AND_NAME
            if any(query.legend for query in panel.queries)
            else common_models.BigValueTextMode.VALUE
        )
        .targets(_targets(panel))
    )


def _targets(panel: Panel) -> list[Builder[Dataquery]]:
    return [
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + place))
        .datasource(_SOURCE)
        .expr(query.expression)
        .legend_format(query.legend)
        .exemplar(panel.has_exemplars)
        for place, query in enumerate(panel.queries)
    ]


def _links(panel: Panel) -> list[Builder[models.DashboardLink]]:
    if panel.runbook is None:
        return []
    link = dashboard.DashboardLink(f"Runbook: {panel.runbook}").type(models.DashboardLinkType.LINK)
    return [link.url(f"${{runbooks}}/{panel.runbook}.md").target_blank(True)]


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color="green" if panel.low is None else "red")]
    if panel.low is not None:
        steps.append(models.Threshold(value=panel.low, color="green"))
    if panel.limit is not None:
        steps.append(models.Threshold(value=panel.limit, color="red"))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
