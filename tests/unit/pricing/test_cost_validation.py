"""What may be recorded, and what a refused request is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing_service.domain.cost import END, MAX_PRICE, CostDraft, draft_cost
from pricing_service.domain.history import read_page_size
from pricing_service.domain.idempotency import read_key
from pricing_service.domain.price_question import PriceQuestion, ask_price
from pricing_service.domain.tier import Level, Tier
from pricing_service.domain.withdrawing import ask_withdrawal
from service_kit.errors import Kind, ServiceError, Violation

DECEMBER = datetime(2024, 12, 13, tzinfo=UTC)


def draft(**changes: Any) -> CostDraft:
    fields: dict[str, Any] = {
        "level": Level.SPECIFIC_CUSTOMER,
        "price": Decimal("0.7"),
        "customer_id": "cust123",
        "app_id": None,
        "reason": "Custom pricing for high-volume customer",
        "effective_from": DECEMBER,
        "created_by": "admin123",
    }
    return draft_cost(**(fields | changes))


def refusal(**changes: Any) -> dict[str, str]:
    with pytest.raises(ServiceError) as caught:
        draft(**changes)
    assert caught.value.kind is Kind.INVALID
    return {violation.field: violation.reason for violation in caught.value.violations}


def test_a_complete_price_is_accepted_as_given() -> None:
    assert draft() == CostDraft(
        tier=Tier(Level.SPECIFIC_CUSTOMER, "cust123"),
        price=Decimal("0.7"),
        reason="Custom pricing for high-volume customer",
        effective_from=DECEMBER,
        created_by="admin123",
    )


def test_every_field_at_fault_is_named_at_once() -> None:
    faults = refusal(
        level=None, price=Decimal(0), customer_id=None, reason="x" * 501, effective_from=None, created_by=""
    )
    assert set(faults) == {"level", "price_micros", "reason", "effective_from", "created_by"}


def test_what_the_caller_found_is_named_with_the_rest() -> None:
    found = Violation("effective_from", "MALFORMED", "is no timestamp")
    faults = refusal(effective_from=None, created_by="", violations=[found])
    assert faults == {"effective_from": "MALFORMED", "created_by": "REQUIRED"}


@pytest.mark.parametrize(
    ("level", "customer_id", "app_id", "faults"),
    [
        (Level.SPECIFIC_CUSTOMER, None, None, {"customer_id": "REQUIRED"}),
        (Level.SPECIFIC_CUSTOMER, "", None, {"customer_id": "REQUIRED"}),
        (Level.SPECIFIC_CUSTOMER, "   ", None, {"customer_id": "REQUIRED"}),
        (Level.SPECIFIC_CUSTOMER, "c" * 65, None, {"customer_id": "TOO_LONG"}),
        (Level.SPECIFIC_CUSTOMER, "cust\x00", None, {"customer_id": "MALFORMED"}),
        (Level.SPECIFIC_CUSTOMER, "cust123", "app7", {"app_id": "NOT_ALLOWED"}),
        (Level.SPECIFIC_CUSTOMER, None, "app7", {"customer_id": "REQUIRED", "app_id": "NOT_ALLOWED"}),
        (Level.APP_OWNER, None, None, {"app_id": "REQUIRED"}),
        (Level.APP_OWNER, "cust123", "app7", {"customer_id": "NOT_ALLOWED"}),
        (Level.DIRECT_CUSTOMER, "cust123", None, {"customer_id": "NOT_ALLOWED"}),
        (Level.DIRECT_CUSTOMER, None, "", {"app_id": "NOT_ALLOWED"}),
        (Level.TUKUPAY, "cust123", "app7", {"customer_id": "NOT_ALLOWED", "app_id": "NOT_ALLOWED"}),
    ],
)
def test_the_entity_must_belong_to_the_level(
    level: Level, customer_id: str | None, app_id: str | None, faults: dict[str, str]
) -> None:
    assert refusal(level=level, customer_id=customer_id, app_id=app_id) == faults


@pytest.mark.parametrize("lookalike", [" cust123", "cust123 ", "cust123\u200b", "\u202ecust123", "cust\u00a0123"])
@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("customer_id", {}),
        ("created_by", {}),
        ("app_id", {"level": Level.APP_OWNER, "customer_id": None}),
    ],
)
def test_what_looks_like_another_identifier_is_not_recorded(field: str, other: dict[str, Any], lookalike: str) -> None:
    assert refusal(**(other | {field: lookalike})) == {field: "MALFORMED"}


@pytest.mark.parametrize("author", ["finance ", "finance\u200b"])
def test_nor_is_it_as_who_withdrew_a_price(author: str) -> None:
    with pytest.raises(ServiceError) as caught:
        ask_withdrawal("cost_1", author, "slip")
    assert [violation.field for violation in caught.value.violations] == ["withdrawn_by"]


def test_a_question_may_be_about_any_account_there_is() -> None:
    assert ask_price("cust123 ", None, None).customer_id == "cust123 "


def test_a_misplaced_customer_is_told_which_level_refuses_it() -> None:
    with pytest.raises(ServiceError, match="customer_id: does not belong to the level DirectCustomer"):
        draft(level=Level.DIRECT_CUSTOMER)


@pytest.mark.parametrize(
    ("level", "entity"), [(Level.TUKUPAY, {}), (Level.SPECIFIC_CUSTOMER, {"customer_id": "cust123"})]
)
@pytest.mark.parametrize("reason", [None, "", "  "])
def test_the_internal_price_and_that_of_a_customer_need_a_reason(
    level: Level, entity: dict[str, str], reason: str | None
) -> None:
    assert refusal(**({"level": level, "customer_id": None, "reason": reason} | entity)) == {"reason": "REQUIRED"}


@pytest.mark.parametrize("reason", [None, ""])
def test_the_other_levels_do_without_a_reason(reason: str | None) -> None:
    assert draft(level=Level.DIRECT_CUSTOMER, customer_id=None, reason=reason).reason is None
    assert draft(level=Level.APP_OWNER, customer_id=None, app_id="app7", reason=reason).reason is None


def test_a_reason_may_have_lines_but_nothing_unprintable() -> None:
    assert draft(reason="first\nsecond").reason == "first\nsecond"
    assert refusal(reason="a\x00b") == {"reason": "MALFORMED"}


@pytest.mark.parametrize("price", ["0", "-0.1", "1000000.000001"])
def test_a_price_is_above_nothing_and_below_a_million(price: str) -> None:
    assert refusal(price=Decimal(price)) == {"price_micros": "OUT_OF_RANGE"}


def test_a_price_keeps_six_decimals_and_no_more() -> None:
    assert draft(price=Decimal("0.000001")).price == Decimal("0.000001")
    assert draft(price=MAX_PRICE).price == MAX_PRICE
    assert refusal(price=Decimal("0.0000001")) == {"price_micros": "TOO_PRECISE"}


@pytest.mark.parametrize("instant", [datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), END])
def test_an_instant_far_off_is_taken_for_a_typing_mistake(instant: datetime) -> None:
    assert refusal(effective_from=instant) == {"effective_from": "OUT_OF_RANGE"}


def test_the_last_instant_of_the_range_is_accepted() -> None:
    last = END - timedelta(microseconds=1)
    assert draft(effective_from=last).effective_from == last


@given(st.text(max_size=70), st.one_of(st.none(), st.text(max_size=70)))
def test_a_question_is_either_kept_as_it_is_or_refused_by_field(customer: str, app: str | None) -> None:
    try:
        question: PriceQuestion | ServiceError = ask_price(customer, app, None)
    except ServiceError as refused:
        question = refused
    if isinstance(question, ServiceError):
        assert question.kind is Kind.INVALID
        assert {violation.field for violation in question.violations} <= {"customer_id", "app_id"}
    else:
        assert question == PriceQuestion(customer, app, None)
        assert 1 <= len(customer) <= 64


@pytest.mark.parametrize(("asked", "rows"), [(0, 100), (1, 1), (1000, 1000)])
def test_a_page_has_a_hundred_rows_unless_asked_otherwise(asked: int, rows: int) -> None:
    violations: list[Violation] = []
    assert read_page_size(asked, violations) == rows
    assert violations == []


@pytest.mark.parametrize("asked", [-1, 1001])
def test_a_page_size_out_of_range_is_refused(asked: int) -> None:
    violations: list[Violation] = []
    read_page_size(asked, violations)
    assert [violation.field for violation in violations] == ["page_size"]


@pytest.mark.parametrize("key", ["", " ", "k" * 129, "a\nb"])
def test_an_idempotency_key_is_short_and_printable(key: str) -> None:
    violations: list[Violation] = []
    read_key(key, violations)
    assert [violation.field for violation in violations] == ["idempotency_key"]
