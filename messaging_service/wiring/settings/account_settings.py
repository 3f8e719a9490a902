"""What accounts pay for."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.abuse.domain.recipient_windows import OTPS_TO_A_PHONE
from messaging_service.accounts.domain.account import UnknownAccounts
from messaging_service.accounts.domain.account_limits import MOST_IN_A_WINDOW
from messaging_service.accounts.domain.charging import ChargePolicy
from service_kit.settings import integer, names, setting


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


def _lower_names(text: str) -> frozenset[str]:
    return frozenset(name.lower() for name in names(text))


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
    otp_tags: frozenset[str] = setting(
        "SMS_OTP_TAGS",
        "tags, with commas between and in whatever case, of messages that are one-time codes",
        parse=_lower_names,
        default=frozenset({"otp"}),
        default_text="`otp`",
        guide="guides/abuse.md",
    )
    otps_per_recipient: int = setting(
        "SMS_OTPS_PER_RECIPIENT",
        "most one-time codes to one phone in any 10 minutes, where an account has no limit of its own; 0 for no limit",
        parse=integer(0, MOST_IN_A_WINDOW),
        default=OTPS_TO_A_PHONE,
    )
    charge_policy: ChargePolicy = setting(
        "SMS_CHARGE_POLICY",
        "what is charged: `acceptance` by the carrier, or `delivery`, where undelivered messages are refunded",
        parse=_charge_policy,
        default=ChargePolicy.ACCEPTANCE,
    )
