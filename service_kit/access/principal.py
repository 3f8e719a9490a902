"""A caller whose credential was checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from service_kit.access.scopes import EVERYTHING, LIVE_ONLY, SELDOM

Accounts: TypeAlias = frozenset[str] | None
"""The accounts that a caller may act for; None for all of them."""


class PrincipalKind(StrEnum):
    """What kind of credential a caller showed."""

    API_KEY = "api_key"
    OIDC = "oidc"
    WORKLOAD = "workload"
    OPERATOR = "operator"
    OPEN = "open"
    """None: the system runs without authentication."""


class AccessMode(StrEnum):
    """Whether what a caller does is real."""

    LIVE = "live"
    TEST = "test"
    """Messages go to sandbox carriers only and cost nothing."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what they may do. It holds no secret, so it may stand in logs and records."""

    id: str
    """As logs and records name it, for instance `tk_live_4fQ2bT9x` or `spiffe://tukupay/ns/sms/sa/gateway`."""
    kind: PrincipalKind
    accounts: Accounts
    """None: every account."""
    scopes: frozenset[str]
    app_id: str | None = None
    """The app through which it sends, for pricing; None when through none."""
    mode: AccessMode = AccessMode.LIVE

    def may(self, scope: str) -> bool:
        """Whether it has a scope. For tests, none of LIVE_ONLY."""
        if self.mode is AccessMode.TEST and scope in LIVE_ONLY:
            return False
        return scope in self.scopes or (EVERYTHING in self.scopes and scope not in SELDOM)

    def acts_for(self, account: str) -> bool:
        """Whether it may act for an account, which need not exist."""
        return self.accounts is None or account in self.accounts


OPEN: Final = Principal("open", PrincipalKind.OPEN, None, frozenset({EVERYTHING, *SELDOM}))
"""Everybody, on a system that runs without authentication."""
