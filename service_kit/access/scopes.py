"""What callers can be allowed to do, by name: the scopes of credentials, and of the rules beside methods and routes."""

from __future__ import annotations

from typing import Final

EVERYTHING: Final = "*"
"""In a credential: every scope there is, except those of `SELDOM`."""
ASSERT_PRINCIPAL: Final = "assert:principal"
"""To call for others, whose credentials the caller has checked."""
RESOLVE_KEYS: Final = "keys:resolve"
"""To ask what an API key may do."""
PII_READ: Final = "pii:read"
"""To read phone numbers whole; they are masked for everybody else."""

SCOPES: Final[dict[str, str]] = {
    "sms:send": "Send, quote, resend and cancel SMS.",
    "sms:read": "Read the outbox and its events, and follow them.",
    PII_READ: "Read phone numbers whole.",
    "accounts:read": "Read accounts, balances, statements and ledgers.",
    "accounts:write": "Open accounts and change their terms.",
    "money:write": "Top up, adjust, refund.",
    "reports:read": "Read cost reports, exports and audits of costs.",
    "suppressions:read": "Read opt-outs.",
    "suppressions:write": "Record and end opt-outs.",
    "webhooks:read": "Read webhooks and their deliveries.",
    "webhooks:write": "Change webhooks, their secrets and deliveries.",
    "channels:read": "Read channels and their deliveries.",
    "channels:write": "Change channels and their deliveries.",
    "alerts:read": "Read alerts and their rules.",
    "alerts:write": "Set rules of alerts, acknowledge alerts.",
    "prices:read": "Read costs and resolve prices.",
    "prices:write": "Set, import and withdraw costs.",
    "carriers:read": "Read the state of carriers.",
    "carriers:write": "Pause, drain and resume carriers.",
    "callbacks:write": "Hand in what carriers report over HTTP.",
    "keys:read": "Read what API keys there are.",
    "keys:write": "Make, rotate and revoke API keys.",
    "privacy:write": "Erase phones, destroy keys of texts.",
    "audit:read": "Read and verify the audit log.",
    "system:inspect": "List the gRPC methods by reflection.",
    RESOLVE_KEYS: "Ask what an API key may do.",
    ASSERT_PRINCIPAL: "Call for others whose credentials the caller has checked.",
}
"""Every scope, with what it allows."""

SELDOM: Final = frozenset({ASSERT_PRINCIPAL, RESOLVE_KEYS})
"""Scopes of the platform's own programs, which no API key and no token of others has, and `*` does not include."""

LIVE_ONLY: Final = frozenset({"money:write"})
"""Scopes that no credential for tests has, not by `*` either: there is no money that is only for tests."""


def unknown(scopes: frozenset[str]) -> list[str]:
    """Those that are no scopes, in the order of the alphabet."""
    return sorted(scopes - SCOPES.keys() - {EVERYTHING})
