"""What accounts pay for."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.accounts.domain.account import UnknownAccounts
from messaging_service.accounts.domain.charging import ChargePolicy
from service_kit.settings import setting


def _charge_policy(text: str) -> ChargePolicy:
    try:
        return ChargePolicy(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither {' nor '.join(ChargePolicy)}") from None


def _unknown_accounts(text: str) -> UnknownAccounts:
    try:
        return UnknownAccounts(text)
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(UnknownAccounts)}") from None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Who has an account, and what it pays for."""

    unknown_accounts: UnknownAccounts = setting(
        "SMS_UNKNOWN_ACCOUNTS",
        "what happens when a userId sends that has no account: `postpaid` opens one that owes what it "
        "sends, `prepaid` one that must be topped up first, `refuse` opens none and answers "
        "ACCOUNT_NOT_FOUND",
        parse=_unknown_accounts,
        default=UnknownAccounts.POSTPAID,
        guide="guides/accounts.md",
    )
    charge_policy: ChargePolicy = setting(
        "SMS_CHARGE_POLICY",
        "what is charged: `acceptance` by the carrier, or `delivery`, where undelivered messages are refunded",
        parse=_charge_policy,
        default=ChargePolicy.ACCEPTANCE,
    )
