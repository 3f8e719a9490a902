"""The order of the price levels is the same wherever it is spelled."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from messaging_service.prices.domain.book_prices import STRENGTH, BookQuestion
from messaging_service.shared.domain.money import PriceLevel
from pricing_service.domain.precedence import tiers_for, tiers_from
from pricing_service.domain.tier import TUKUPAY, Level, Tier
from pricing_service.use_cases.price_book import _key, _keys
from sms_cli.shared.level_names import LEVEL_NAMES

ROOT = Path(__file__).resolve().parents[2]
ORDER = ["SpecificCustomer", "AppOwner", "DirectCustomer", "TukuPay"]
"""As the contract has it."""
NEAR = 60
"""Characters between the names where a text spells the order."""


def named(level: PriceLevel) -> str:
    """The contract's name of a level as messaging knows it."""
    return level.value.title().replace("_", "").replace("Tukupay", "TukuPay")


def test_pricing_resolves_in_this_order() -> None:
    assert [tier.level.value for tier in tiers_for("cust123", "app1")] == ORDER
    starts = [Tier(Level.SPECIFIC_CUSTOMER, "cust123"), Tier(Level.APP_OWNER, "app1"), Tier(Level.DIRECT_CUSTOMER)]
    for start in [*starts, TUKUPAY]:
        order = [ORDER.index(tier.level.value) for tier in tiers_from(start)]
        assert order == sorted(order)
        assert order[0] == ORDER.index(start.level.value)


def test_the_book_of_prices_in_effect_now_looks_in_the_same_order() -> None:
    for app_id in ("app1", None):
        assert list(_keys("cust123", app_id)) == [_key(tier) for tier in tiers_for("cust123", app_id)]


def test_messaging_compares_rows_of_the_book_in_the_same_order() -> None:
    assert [named(level) for level in sorted(STRENGTH, key=STRENGTH.__getitem__)] == ORDER
    now = datetime(2026, 11, 30, tzinfo=UTC)
    for app_id in ("app1", None):
        asked = BookQuestion("cust123", app_id, now, now).tiers()
        assert [(named(tier.level), tier.entity) for tier in asked] == [
            (tier.level.value, tier.entity) for tier in tiers_for("cust123", app_id)
        ]


def test_all_of_them_have_the_same_four_levels() -> None:
    assert {level.value for level in Level} == {named(level) for level in PriceLevel} == set(LEVEL_NAMES.values())


def spelled(text: str) -> list[list[str]]:
    """The orders that a text spells: all four levels near one another, as steps that come after one another."""
    plain = " ".join(re.sub(r"(?m)^\s*(//|#)", "", text).replace('"', "").split())
    names = list(re.finditer("|".join(ORDER), plain))
    found = []
    for start in range(len(names) - 3):
        four = names[start : start + 4]
        passage = plain[max(0, four[0].start() - NEAR) : four[-1].end()]
        near = all(after.start() - before.end() <= NEAR for before, after in pairwise(four))
        if near and len({name[0] for name in four}) == 4 and re.search(r"\bthen\b|in the order|2\. ", passage):
            found.append([name[0] for name in four])
    return found


def test_texts_spell_the_same_order() -> None:
    paths = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "protos" / "tukupay").rglob("*.proto")]
    for folder in ("gateway_http", "sms_cli", "messaging_service", "pricing_service"):
        paths += (ROOT / folder).rglob("*.py")
    orders = {str(path.relative_to(ROOT)): spelled(path.read_text()) for path in paths}
    spelling = {path: found for path, found in orders.items() if found}
    assert spelling.keys() >= {
        "docs/guides/pricing.md",
        "docs/guides/rest-api.md",
        "docs/glossary.md",
        "protos/tukupay/sms/pricing/v1/pricing.proto",
        "gateway_http/costs/cost_operations.py",
    }
    assert {path: found for path, found in spelling.items() if any(order != ORDER for order in found)} == {}
