"""What a key may do, and what is wrong with terms that ask for something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import text_problem
from service_kit.access import scopes
from service_kit.access.principal import AccessMode, Accounts, Principal
from service_kit.access.refusals import account_denied, all_accounts_needed, live_mode_needed, require_scope
from service_kit.errors import Violation
from service_kit.identifiers import identifier_problem

MAX_NAME: Final = 100
MAX_ACCOUNTS: Final = 100
MAX_NETWORKS: Final = 100
MAX_MESSAGES_PER_MINUTE: Final = 1_000_000
MAX_DAILY_SPEND: Final = Decimal(1_000_000_000)
"""KES."""


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do. Only the expiry changes later: it comes earlier when another key replaces this one."""

    name: str
    """What the key is for, as people know it."""
    mode: AccessMode
    accounts: Accounts
    """The accounts that it may act for; None for all of them."""
    app_id: str | None
    """The app through which its messages come, for pricing; None when through none."""
    scopes: frozenset[str]
    networks: tuple[str, ...]
    """The networks that it is valid from, such as `10.0.0.0/8`; empty for any."""
    expires_at: datetime | None
    """From then on it is not valid; None while no end is set."""
    messages_per_minute: int | None
    """Most messages in a minute of the clock, over all accounts; None for as many as these allow."""
    daily_spend: Decimal | None
    """Most KES in a day of Nairobi, over all accounts; None for as much as these allow."""


def terms_faults(terms: KeyTerms, now: datetime) -> list[Violation]:
    """What is wrong with the terms of a new key, with fields below `terms`."""
    found: list[Violation] = []
    if problem := text_problem(terms.name, MAX_NAME):
        found.append(Violation("terms.name", reasons.MALFORMED, problem))
    found += _account_faults(terms.accounts)
    if terms.app_id is not None and (problem := identifier_problem(terms.app_id)):
        found.append(Violation("terms.app_id", reasons.INVALID_IDENTIFIER, problem))
    found += _scope_faults(terms.scopes, terms.mode)
    if terms.expires_at is not None and terms.expires_at <= now:
        problem = "has passed; give an instant that lies ahead, or leave it out"
        found.append(Violation("terms.expires_time", reasons.EXPIRY_NOT_AHEAD, problem))
    if terms.messages_per_minute is not None and not 1 <= terms.messages_per_minute <= MAX_MESSAGES_PER_MINUTE:
        problem = f"is {terms.messages_per_minute}; give 1 to {MAX_MESSAGES_PER_MINUTE:,}, or leave it out"
        found.append(Violation("terms.messages_per_minute", reasons.OUT_OF_RANGE, problem))
    if terms.daily_spend is not None and not 0 < terms.daily_spend <= MAX_DAILY_SPEND:
        problem = f"is KES {terms.daily_spend:f}; give more than 0 and at most {MAX_DAILY_SPEND:,}, or leave it out"
        found.append(Violation("terms.daily_spend_micros", reasons.OUT_OF_RANGE, problem))
    return found


def read_networks(given: Sequence[str], found: list[Violation]) -> tuple[str, ...]:
    """Networks in their usual spelling, each once; what is wrong with them is added to `found`."""
    if len(given) > MAX_NETWORKS:
        problem = f"has {len(given)} networks; at most {MAX_NETWORKS} are allowed"
        found.append(Violation("terms.networks", reasons.TOO_MANY, problem))
        return ()
    networks: dict[str, None] = {}
    for place, text in enumerate(given):
        try:
            networks[str(ip_network(text))] = None
        except ValueError:
            problem = "is no address and no network whose bits behind the mask are 0, for instance 10.0.0.0/8"
            found.append(Violation(f"terms.networks[{place}]", reasons.INVALID_VALUE, problem))
    return tuple(networks)


def is_valid_from(terms: KeyTerms, address: str | None) -> bool:
    """Whether a key is valid from an IP address; None, where it is not known, is in no network."""
    if not terms.networks:
        return True
    try:
        given = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(given, IPv6Address) and given.ipv4_mapped is not None:
        given = given.ipv4_mapped
    return any(given in ip_network(network) for network in terms.networks)


def require_grantable(terms: KeyTerms, by: Principal) -> None:
    """Raises ServiceError PERMISSION_DENIED when a key could do what the caller who makes it may not."""
    for scope in sorted(terms.scopes):
        require_scope(by, scope)
    if by.mode is AccessMode.TEST and terms.mode is AccessMode.LIVE:
        raise live_mode_needed()
    if by.accounts is not None:
        if terms.accounts is None:
            raise all_accounts_needed()
        if not terms.accounts <= by.accounts:
            raise account_denied()


def _account_faults(accounts: Accounts) -> list[Violation]:
    if accounts is None:
        return []
    if not accounts:
        problem = "is empty; name the accounts that the key may act for, or let it act for all"
        return [Violation("terms.accounts", reasons.REQUIRED, problem)]
    if len(accounts) > MAX_ACCOUNTS:
        problem = f"has {len(accounts)} accounts; at most {MAX_ACCOUNTS} are allowed"
        return [Violation("terms.accounts", reasons.TOO_MANY, problem)]
    problems = (identifier_problem(account) for account in sorted(accounts))
    return [Violation("terms.accounts", reasons.INVALID_IDENTIFIER, problem) for problem in problems if problem][:1]


def _scope_faults(wanted: frozenset[str], mode: AccessMode) -> list[Violation]:
    if not wanted:
        return [Violation("terms.scopes", reasons.REQUIRED, "is empty; name what the key may do, such as sms:send")]
    if unknown := scopes.unknown(wanted):
        problem = f"{_listed(unknown)} is no scope; use some of {', '.join(sorted(_FOR_KEYS))}, or * for all of them"
        return [Violation("terms.scopes", reasons.INVALID_VALUE, problem)]
    if reserved := sorted(wanted & scopes.SELDOM):
        problem = f"{_listed(reserved)} is for the platform's own programs; no key has it"
        return [Violation("terms.scopes", reasons.INVALID_VALUE, problem)]
    if mode is AccessMode.TEST and (real := sorted(wanted & scopes.LIVE_ONLY)):
        problem = f"{_listed(real)} is about real money; no test key has it"
        return [Violation("terms.scopes", reasons.INVALID_VALUE, problem)]
    return []


def _listed(words: Sequence[str]) -> str:
    # What callers wrote may be anything, and as long as they like.
    return repr(words[0][:40])


_FOR_KEYS: Final = scopes.SCOPES.keys() - scopes.SELDOM
