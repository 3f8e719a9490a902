"""Which tier wins: the whole truth table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, combinations

import pytest

from pricing_service.domain.cost import Cost
from pricing_service.domain.precedence import tiers_for, tiers_from
from pricing_service.domain.resolution import Standing, resolve
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier

CUSTOMER = Tier(Level.SPECIFIC_CUSTOMER, "cust123")
APP = Tier(Level.APP_OWNER, "app7")
LETTERS = {"C": CUSTOMER, "A": APP, "D": DIRECT_CUSTOMER, "T": TUKUPAY}


def priced(tiers: AbstractSet[Tier]) -> dict[Tier, Cost]:
    return {
        tier: Cost(
            cost_id=f"cost_{place}",
            tier=tier,
            price=Decimal(1),
            reason=None,
            effective_from=datetime(2024, 1, 1, tzinfo=UTC),
            created_by="admin123",
            recorded_at=datetime(2024, 1, 1, tzinfo=UTC),
            revision=1,
            epoch=place,
        )
        for place, tier in enumerate(tiers)
    }


# Which tiers have a price (Customer, App, Direct, TukuPay), who wins a send through the app, who wins
# one through none; "-" is NO_PRICE.
TRUTH = [
    ("", "-", "-"),
    ("T", "T", "T"),
    ("D", "D", "D"),
    ("DT", "D", "D"),
    ("A", "A", "-"),
    ("AT", "A", "T"),
    ("AD", "A", "D"),
    ("ADT", "A", "D"),
    ("C", "C", "C"),
    ("CT", "C", "C"),
    ("CD", "C", "C"),
    ("CDT", "C", "C"),
    ("CA", "C", "C"),
    ("CAT", "C", "C"),
    ("CAD", "C", "C"),
    ("CADT", "C", "C"),
]


def strongest(tiers: Sequence[Tier], in_effect: Mapping[Tier, Cost]) -> Cost | None:
    return resolve(tiers, {tier: Standing(in_effect.get(tier), None) for tier in tiers}).cost


def letter(cost: Cost | None) -> str:
    return "-" if cost is None else next(name for name, tier in LETTERS.items() if tier == cost.tier)


def test_the_truth_table_has_every_combination() -> None:
    every = chain.from_iterable(combinations("CADT", size) for size in range(5))
    assert {row[0] for row in TRUTH} == {"".join(letters) for letters in every}


@pytest.mark.parametrize(("have", "through_app", "through_none"), TRUTH)
def test_the_strongest_tier_with_a_price_wins(have: str, through_app: str, through_none: str) -> None:
    in_effect = priced({LETTERS[name] for name in have})
    assert letter(strongest(tiers_for("cust123", "app7"), in_effect)) == through_app
    assert letter(strongest(tiers_for("cust123", None), in_effect)) == through_none


@pytest.mark.parametrize(
    ("asked", "walk"),
    [
        (CUSTOMER, (CUSTOMER, DIRECT_CUSTOMER, TUKUPAY)),
        (APP, (APP, DIRECT_CUSTOMER, TUKUPAY)),
        (DIRECT_CUSTOMER, (DIRECT_CUSTOMER, TUKUPAY)),
        (TUKUPAY, (TUKUPAY,)),
    ],
)
def test_a_level_falls_back_to_direct_customer_and_that_to_tukupay(asked: Tier, walk: tuple[Tier, ...]) -> None:
    assert tiers_from(asked) == walk


def test_another_customer_with_the_same_name_as_an_app_is_not_confused_with_it() -> None:
    in_effect = priced({Tier(Level.APP_OWNER, "same")})
    assert strongest(tiers_for("same", None), in_effect) is None
