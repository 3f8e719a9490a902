"""The queries of deploy/alerts and deploy/dashboards, and which series and labels they read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

from tests.system.exposition import Figures

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy" / "alerts" / "tukupay.yaml"
BOARDS: Final = sorted((ROOT / "deploy" / "dashboards").glob("*.json"))
OF_TARGETS: Final = frozenset({"job", "instance"})
"""Labels that Prometheus adds to what it scrapes."""
OF_PROMETHEUS: Final = frozenset({"up"})
"""Series that it makes itself."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One selector of a query."""

    metric: str
    equal: tuple[tuple[str, str], ...]
    """Labels with a value that they must have; of alternatives, each."""
    labels: frozenset[str]
    """All labels that are asked for: to match, and to group by."""


def rules() -> list[dict[str, Any]]:
    """All rules, recorded ones included."""
    document = yaml.safe_load(RULES.read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def recorded() -> set[str]:
    """The names of series that rules record."""
    return {rule["record"] for rule in rules() if "record" in rule}


def panels(board: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard, without its headings."""
    return [panel for panel in json.loads(board.read_text("utf-8"))["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str, str]]:
    """Every query: where it stands, its expression as Prometheus gets it, and the legend that is made of its labels."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"], ""
    for board in BOARDS:
        for panel in panels(board):
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "5m")
                yield f"{board.stem}: {panel['title']}", expression, target.get("legendFormat", "")


def readings(expression: promql_parser.Expr, groups: frozenset[str] = frozenset()) -> Iterator[Reading]:
    """What an expression reads; `groups` are the labels that what is around it groups by."""
    if isinstance(expression, promql_parser.VectorSelector):
        matchers = expression.matchers.matchers
        equal = tuple(
            (matcher.name, value)
            for matcher in matchers
            if matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re) and ".*" not in matcher.value
            for value in matcher.value.split("|")
        )
        yield Reading(expression.name or "", equal, groups | {matcher.name for matcher in matchers})
        return
    if isinstance(expression, promql_parser.AggregateExpr) and expression.modifier is not None:
        groups |= set(expression.modifier.labels)
    inner = [getattr(expression, part, None) for part in ("expr", "lhs", "rhs", "vector_selector")]
    inner += getattr(expression, "args", None) or []
    for each in inner:
        if each is not None:
            yield from readings(each, groups)


def legend_labels(legend: str) -> set[str]:
    """The labels that a legend shows."""
    return set(re.findall(r"{{(\w+)}}", legend))


class Exported:
    """The series of one or several scrapes."""

    def __init__(self, scrapes: Iterable[Figures]) -> None:
        self.labels: dict[str, set[str]] = {}
        """The labels of the series of each name."""
        self.values: dict[tuple[str, str], set[str]] = {}
        """The values of a label of the series of a name."""
        self._families: set[str] = set()
        for figures in scrapes:
            self._families |= figures.families.keys()
            for sample in (sample for family in figures.families.values() for sample in family.samples):
                self.labels.setdefault(sample.name, set()).update(sample.labels)
                for label, value in sample.labels.items():
                    self.values.setdefault((sample.name, label), set()).add(value)

    def blind(
        self, asked: Iterable[tuple[str, str, str]], elsewhere: Mapping[str, AbstractSet[str]] | None = None
    ) -> list[str]:
        """What queries ask for and is not exported. `elsewhere`: labels of series that other systems have."""
        known = {**(elsewhere or {}), **self.labels}
        faults: list[str] = []
        for where, expression, legend in asked:
            for reading in readings(promql_parser.parse(expression)):
                if reading.metric in OF_PROMETHEUS | recorded():
                    continue
                if reading.metric not in known:
                    faults.append(f"{where}: no series {reading.metric}")
                    continue
                missing = (reading.labels | legend_labels(legend)) - known[reading.metric] - OF_TARGETS
                faults += [f"{where}: {reading.metric} has no label {label}" for label in sorted(missing)]
                faults += [
                    f'{where}: no series {reading.metric}{{{label}="{value}"}}'
                    for label, value in reading.equal
                    if label not in OF_TARGETS and value not in self.values.get((reading.metric, label), set())
                ]
        return faults

    def first_faults_unseen(self) -> list[str]:
        """Counters of rules that this process has and that are not shown yet: they would begin at 1, and never rise."""
        return [
            fault
            for fault in self.blind((rule.get("alert") or rule["record"], rule["expr"], "") for rule in rules())
            if (counter := re.search(r"no series (\w+)_total\b", fault)) and counter[1] in self._families
        ]
