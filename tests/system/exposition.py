"""What a service exports, read as Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "metrics.md"
_ROW: Final = re.compile(r"^\| `(tukupay_\w+)` \| ([a-z, ]+) \| (\w+) \|([^|]*)\|", re.MULTILINE)


class Figures:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    def __call__(self, sample: str, **labels: str) -> float:
        """The sum of all samples of that name with these labels; 0 when there is none yet."""
        return sum(
            each.value for each in self._samples if each.name == sample and labels.items() <= each.labels.items()
        )

    @property
    def own(self) -> dict[str, Metric]:
        """The families that are ours, and not the library's, by the name that their samples have."""
        return {
            f"{name}_total" if family.type == "counter" else name: family
            for name, family in self.families.items()
            if name.startswith("tukupay_")
        }

    def documented_wrongly(self, service: str) -> list[str]:
        """Metrics of which the guide tells nothing, or too much, or another type or label."""
        documented = {
            (name, kind, tuple(sorted(re.findall(r"`(\w+)`", labels))))
            for name, services, kind, labels in _ROW.findall(GUIDE.read_text())
            if service in services.split(", ")
        }
        exported = {(name, family.type, self._labels(family)) for name, family in self.own.items()}
        # Without any sample a family shows no labels.
        silent = {(name, kind) for name, kind, labels in exported if labels is None}
        exported = {each for each in exported if each[2] is not None}
        expected = {each for each in documented if each[:2] not in silent}
        missing = silent - {each[:2] for each in documented}
        return sorted(map(str, {*(exported ^ expected), *missing}))

    @staticmethod
    def _labels(family: Metric) -> tuple[str, ...] | None:
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        return tuple(sorted(labels)) if family.samples else None


async def figures_at(port: int) -> Figures:
    """Scrapes a service of this machine."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    return Figures(answer.raise_for_status().text)
