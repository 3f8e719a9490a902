"""Exact money, and whether a hold fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits, AccountUsage
from messaging_service.shared.domain.money import Price, PriceLevel, from_micros, to_micros
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError

micros = st.integers(-(10**17), 10**17)


def account(
    posted: str,
    held: str = "0",
    limit: str = "0",
    mode: AccountMode = AccountMode.PREPAID,
    status: AccountStatus = AccountStatus.ACTIVE,
) -> Account:
    opened = datetime(2026, 1, 1, tzinfo=UTC)
    return Account("user123", mode, status, Decimal(posted), Decimal(held), Decimal(limit), opened)


@given(micros)
def test_micros_go_there_and_back(amount: int) -> None:
    assert to_micros(from_micros(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("0.6", 600_000), ("0.000001", 1), ("0.6000000", 600_000), ("1E+1", 10_000_000), ("-0.7", -700_000), ("0", 0)],
)
def test_shillings_are_whole_micros(amount: str, expected: int) -> None:
    assert to_micros(Decimal(amount)) == expected


@pytest.mark.parametrize("amount", ["0.0000001", "0.6000001", "1E-7"])
def test_a_fraction_of_a_micro_is_no_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="6 decimals"):
        to_micros(Decimal(amount))


@given(st.integers(1, 10**12), st.integers(1, 20))
def test_a_total_is_units_times_price_exactly(price: int, units: int) -> None:
    total = Price(from_micros(price), "cost_1", PriceLevel.TUKUPAY).total(units)
    assert to_micros(total) == price * units


def test_three_units_at_a_price_that_floats_get_wrong() -> None:
    assert Price(Decimal("0.7"), "cost_1", PriceLevel.TUKUPAY).total(3) == Decimal("2.1")


def refusal(of: Account, amount: str) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        of.hold(Decimal(amount))
    assert caught.value.kind is Kind.FAILED_PRECONDITION
    return caught.value


@pytest.mark.parametrize(
    ("posted", "held", "limit", "amount", "shortfall"),
    [
        ("1", "0", "0", "1", None),
        ("1", "0", "0", "1.000001", "0.000001"),
        ("1", "0.4", "0", "0.6", None),
        ("1", "0.4", "0", "0.7", "0.1"),
        ("0", "0", "5", "5", None),
        ("-5", "0", "5", "0.000001", "0.000001"),
        ("-4", "0.5", "5", "0.5", None),
        ("0", "0", "0", "0.6", "0.6"),
    ],
)
def test_a_prepaid_account_holds_down_to_its_limit(
    posted: str, held: str, limit: str, amount: str, shortfall: str | None
) -> None:
    prepaid = account(posted, held, limit)
    if shortfall is None:
        assert prepaid.hold(Decimal(amount)).held == Decimal(held) + Decimal(amount)
    else:
        error = refusal(prepaid, amount)
        assert error.reason == "INSUFFICIENT_FUNDS"
        assert Decimal(error.metadata["shortfall"]) == Decimal(shortfall)
        assert error.metadata["currency"] == "KES"


def test_a_postpaid_account_needs_no_balance() -> None:
    assert account("-1000", mode=AccountMode.POSTPAID).hold(Decimal(5)).held == 5


def test_a_test_message_needs_no_balance_and_no_room_in_the_day() -> None:
    limits = AccountLimits(daily_spend=Decimal(1), messages_per_minute=1)
    usage = AccountUsage(Decimal(2), 0, datetime(2026, 6, 1, 12, tzinfo=UTC))
    poor = replace(account("-5"), limits=limits, usage=usage)
    held = poor.hold(Decimal(0), AccessMode.TEST)
    assert (held.held, held.usage) == (Decimal(0), replace(usage, sent_this_minute=1))
    with pytest.raises(ServiceError, match="RATE_LIMIT_REACHED"):
        held.hold(Decimal(0), AccessMode.TEST)
    assert refusal(poor, "0.6").reason == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.CLOSED])
@pytest.mark.parametrize("mode", list(AccountMode))
def test_an_account_that_is_not_active_holds_nothing(status: AccountStatus, mode: AccountMode) -> None:
    error = refusal(account("100", mode=mode, status=status), "0.6")
    assert error.reason == "ACCOUNT_NOT_ACTIVE"
    assert error.metadata["status"] == status.value


@given(st.lists(st.integers(1, 10**6), max_size=30), st.integers(0, 10**7), st.integers(0, 10**6))
def test_no_row_of_holds_leads_below_the_limit(amounts: list[int], posted: int, limit: int) -> None:
    prepaid = account(str(from_micros(posted)), limit=str(from_micros(limit)))
    for amount in amounts:
        try:
            prepaid = prepaid.hold(from_micros(amount))
        except ServiceError:
            continue
        assert prepaid.posted - prepaid.held >= -prepaid.credit_limit
