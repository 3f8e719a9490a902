"""The rules in the guide to metrics speak of metrics that there are."""

from __future__ import annotations

import re

from tests.system.exposition import GUIDE


def test_every_rule_names_metrics_that_are_documented() -> None:
    rules, table = GUIDE.read_text().split("## All metrics")
    documented = set(re.findall(r"^\| `(tukupay_\w+)`", table, re.MULTILINE))
    used = set(re.findall(r"\b(tukupay_[a-z_]+[a-z])\b", rules.split("## What to be woken up by")[1]))
    assert len(documented) > 60
    assert len(used) > 12
    assert used <= documented
