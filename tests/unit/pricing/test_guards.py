"""What is unusual about a price, and what an import makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pricing_service.domain.cost import CostDraft
from pricing_service.domain.importing import Effect, PriceInEffect, plan_import, repeated_rows
from pricing_service.domain.price_guards import ByLevel, Guards, guarded
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.settings import PricingSettings
from service_kit.errors import Kind
from service_kit.settings import SettingsError, load

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CUSTOMER = Tier(Level.SPECIFIC_CUSTOMER, "cust123")
GUARDS = Guards(
    ceilings=ByLevel(Decimal(20), ((Level.TUKUPAY, Decimal(5)),)),
    max_changes=ByLevel(Decimal(100), ((Level.TUKUPAY, Decimal(10)),)),
    past=timedelta(days=30),
    future=timedelta(days=366),
)


def draft(price: str = "0.7", tier: Tier = CUSTOMER, effective_from: datetime = NOW, **fields: Any) -> CostDraft:
    return CostDraft(tier, Decimal(price), "agreed", effective_from, "admin123", **fields)


def touched(cost: CostDraft, in_effect: str | None = None) -> list[str]:
    return [each.reason for each in GUARDS.touched(cost, Decimal(in_effect) if in_effect else None, NOW)]


@pytest.mark.parametrize(
    ("price", "tier", "in_effect", "guards"),
    [
        ("20", CUSTOMER, None, []),
        ("20.000001", CUSTOMER, None, ["ABOVE_CEILING"]),
        ("5", TUKUPAY, None, []),
        ("5.1", TUKUPAY, None, ["ABOVE_CEILING"]),
        ("1.4", CUSTOMER, "0.7", []),
        ("1.400001", CUSTOMER, "0.7", ["RELATIVE_CHANGE"]),
        ("0.35", CUSTOMER, "0.7", []),
        ("0.349999", CUSTOMER, "0.7", ["RELATIVE_CHANGE"]),
        ("7", CUSTOMER, "0.7", ["RELATIVE_CHANGE"]),
        ("1.2", TUKUPAY, "1", ["RELATIVE_CHANGE"]),
        ("0.5", CUSTOMER, "0", []),
        ("0", CUSTOMER, "0.7", []),
        ("50", CUSTOMER, "0.7", ["ABOVE_CEILING", "RELATIVE_CHANGE"]),
    ],
)
def test_a_price_is_judged_by_the_limits_of_its_level(
    price: str, tier: Tier, in_effect: str | None, guards: list[str]
) -> None:
    assert touched(draft(price, tier), in_effect) == guards


@pytest.mark.parametrize(
    ("instant", "guards"),
    [
        (NOW - timedelta(days=30), []),
        (NOW - timedelta(days=30, microseconds=1), ["FAR_PAST"]),
        (NOW + timedelta(days=366), []),
        (NOW + timedelta(days=366, microseconds=1), ["FAR_FUTURE"]),
    ],
)
def test_an_instant_far_off_needs_a_second_thought(instant: datetime, guards: list[str]) -> None:
    assert touched(draft(effective_from=instant)) == guards


def test_a_refusal_names_the_guards_their_limits_and_the_way_round() -> None:
    error = guarded(GUARDS.touched(draft("50"), Decimal("0.7"), NOW))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "PRICE_GUARD")
    assert error.metadata == {"guards": "ABOVE_CEILING,RELATIVE_CHANGE"}
    for word in ("20 KES", "100%", "override the guards"):
        assert word in error.message


def plan(drafts: list[CostDraft], before: list[PriceInEffect | None]) -> list[Effect]:
    planned, violations = plan_import(drafts, before, GUARDS, NOW)
    assert violations == []
    assert [row.draft for row in planned] == drafts
    return [row.effect for row in planned]


def in_effect(price: str, since: datetime = NOW - timedelta(days=9)) -> PriceInEffect:
    return PriceInEffect(Decimal(price), since)


def test_a_row_is_new_changes_something_or_nothing() -> None:
    drafts = [draft("0.7"), draft("0.8", DIRECT_CUSTOMER), draft("1.0", TUKUPAY)]
    assert plan(drafts, [None, in_effect("0.9"), in_effect("1.0")]) == [Effect.NEW, Effect.CHANGED, Effect.UNCHANGED]


def test_a_price_that_comes_back_after_another_one_of_the_same_file_is_recorded() -> None:
    drafts = [draft("0.8", effective_from=NOW + timedelta(days=2)), draft("0.7", effective_from=NOW)]
    assert plan(drafts, [in_effect("0.8"), in_effect("0.8")]) == [Effect.CHANGED, Effect.CHANGED]


def test_a_row_that_repeats_the_one_before_it_in_the_same_file_changes_nothing() -> None:
    drafts = [draft("0.7"), draft("0.7", effective_from=NOW + timedelta(days=2))]
    assert plan(drafts, [None, None]) == [Effect.NEW, Effect.UNCHANGED]


def test_a_recorded_row_between_two_of_the_file_is_what_the_second_is_compared_with() -> None:
    drafts = [draft("0.7"), draft("0.7", effective_from=NOW + timedelta(days=9))]
    between = in_effect("0.8", NOW + timedelta(days=5))
    assert plan(drafts, [None, between]) == [Effect.NEW, Effect.CHANGED]


def test_guards_are_told_by_row_and_only_for_rows_that_do_not_override_them() -> None:
    drafts = [draft("0.7"), draft("70", TUKUPAY), draft("70", DIRECT_CUSTOMER, override_guards=True)]
    planned, violations = plan_import(drafts, [None, in_effect("1"), None], GUARDS, NOW)
    assert [(each.field, each.reason) for each in violations] == [
        ("rows[1].price_micros", "ABOVE_CEILING"),
        ("rows[1].price_micros", "RELATIVE_CHANGE"),
    ]
    assert planned[2].overridden_guards == ("ABOVE_CEILING",)


def test_two_rows_about_the_same_tier_and_instant_are_a_mistake() -> None:
    drafts = [draft("0.7"), draft("0.7", DIRECT_CUSTOMER), draft("0.8")]
    assert [(each.field, each.reason) for each in repeated_rows(drafts)] == [("rows[2].effective_from", "REPEATED")]


def test_limits_are_set_for_all_levels_or_for_some() -> None:
    settings = load(
        PricingSettings, {"PRICING_DATABASE_URL": "postgresql:///", "PRICING_GUARD_CEILING": "10, SpecificCustomer=2.5"}
    )
    assert settings.guard_ceiling.of(Level.SPECIFIC_CUSTOMER) == Decimal("2.5")
    assert settings.guard_ceiling.of(Level.TUKUPAY) == Decimal(10)
    assert settings.guard_max_change.of(Level.TUKUPAY) == Decimal(100)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "10,Reseller=5", "10,TukuPay", "10,"])
def test_limits_that_make_no_sense_are_refused(text: str) -> None:
    environ = {"PRICING_DATABASE_URL": "postgresql:///", "PRICING_GUARD_CEILING": text}
    if text:
        with pytest.raises(SettingsError, match="PRICING_GUARD_CEILING"):
            load(PricingSettings, environ)
    else:
        assert load(PricingSettings, environ).guard_ceiling.of(Level.TUKUPAY) == Decimal(20)
