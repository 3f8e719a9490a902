"""When opening an account again is a repetition, and which charges are paid back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.domain.opening import check_opened_as
from messaging_service.accounts.domain.refunds import Charge, charges_to_refund
from messaging_service.shared.domain.states import Billing
from service_kit.errors import ServiceError

ZERO = Decimal(0)
NO_LIMITS = AccountLimits()
ACCOUNT = Account(
    "a", AccountMode.PREPAID, AccountStatus.ACTIVE, ZERO, ZERO, Decimal(5), datetime(2026, 12, 1, tzinfo=UTC)
)
MESSAGE = UUID(int=7)
CHARGES = [Charge(1, Decimal("0.6")), Charge(2, Decimal("0.6"))]


def test_an_account_is_opened_again_with_the_same_terms_only() -> None:
    check_opened_as(ACCOUNT, AccountMode.PREPAID, Decimal("5.00"), NO_LIMITS)
    for other in (
        (AccountMode.POSTPAID, Decimal(5), NO_LIMITS),
        (AccountMode.PREPAID, Decimal(6), NO_LIMITS),
        (AccountMode.PREPAID, Decimal(5), AccountLimits(messages_per_minute=1)),
    ):
        with pytest.raises(ServiceError) as caught:
            check_opened_as(ACCOUNT, *other)
        assert (caught.value.reason, caught.value.metadata) == ("ACCOUNT_EXISTS", {"account": "a"})


def test_each_charge_is_paid_back_once() -> None:
    assert charges_to_refund(MESSAGE, Billing.CHARGED, CHARGES, set()) == CHARGES
    assert charges_to_refund(MESSAGE, Billing.CHARGED, CHARGES, {1}) == CHARGES[1:]
    assert charges_to_refund(MESSAGE, Billing.REFUNDED, CHARGES, {1, 2}) == []


@pytest.mark.parametrize(("attempt", "said"), [(None, "no attempt of this message"), (3, "attempt 3 of this message")])
def test_without_a_charge_nothing_is_paid_back(attempt: int | None, said: str) -> None:
    with pytest.raises(ServiceError) as caught:
        charges_to_refund(MESSAGE, Billing.HELD, [], set(), attempt)
    assert (caught.value.reason, caught.value.metadata["billing"]) == ("NOT_CHARGED", "held")
    assert caught.value.message.startswith(said)
