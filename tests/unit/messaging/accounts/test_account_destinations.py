"""Where accounts may send to, before a message is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from messaging_service.accounts.account_destinations import AccountDestinations
from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.shared.numbering.destinations import HOME, allowed_destinations
from tests.contract.sms_examples import NOON

KENYA, UGANDA, AMERICA = "+254712345678", "+256712345678", "+14155550123"
SHOP = Account("shop", AccountMode.POSTPAID, AccountStatus.ACTIVE, Decimal(0), Decimal(0), Decimal(0), NOON)


class Accounts:
    """Accounts that are asked for, and how many at once."""

    def __init__(self, **countries: tuple[str, ...] | None) -> None:
        self.countries = countries
        self.questions = 0
        self.most_at_once = 0
        self._now = 0

    async def account(self, account_id: str) -> Account | None:
        self.questions += 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if account_id not in self.countries:
            return None
        return replace(SHOP, limits=AccountLimits(destinations=self.countries[account_id]))


def check_of(accounts: Any) -> AccountDestinations:
    return AccountDestinations(HOME, accounts, allowed_destinations)


@pytest.mark.parametrize(
    ("account", "number", "is_allowed"),
    [
        ("shop", KENYA, True),
        ("shop", UGANDA, True),
        ("shop", AMERICA, False),
        ("plain", UGANDA, False),
        ("unknown", UGANDA, False),
    ],
)
async def test_an_accounts_own_countries_take_the_place_of_the_services(
    account: str, number: str, is_allowed: bool
) -> None:
    problem = await check_of(Accounts(shop=("KE", "UG"), plain=None))(account, number)
    assert (problem is None) == is_allowed
    assert number not in (problem or "")


async def test_numbers_that_the_service_allows_cost_no_question() -> None:
    accounts = Accounts()
    assert await check_of(accounts)("shop", KENYA) is None
    assert accounts.questions == 0


async def test_many_numbers_abroad_are_asked_about_one_after_another() -> None:
    accounts = Accounts(shop=("UG",))
    check = check_of(accounts)
    await asyncio.gather(*(check("shop", UGANDA) for _ in range(20)))
    assert (accounts.questions, accounts.most_at_once) == (20, 1)
