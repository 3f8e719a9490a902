"""An issuer of tokens as the operator describes it: whom it may speak of, and what its claims mean here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

ClaimPath: TypeAlias = tuple[str, ...]
"""The name of a claim, or the names that lead to one inside another."""

ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that a token may be signed with, and the type and curve of the keys of each. None of them is a shared
secret: who can verify a token cannot make one."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do, and for which accounts, by a rule of the issuers file."""

    scopes: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    all_accounts: bool = False


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer."""

    name: str
    """In the ids of its callers, before a colon."""
    issuer: str
    """`iss` of its tokens, letter by letter."""
    audiences: tuple[str, ...]
    """`aud` of a token names one of them."""
    jwks_url: str
    """Where its keys are; https, or http on this machine."""
    algorithms: tuple[str, ...]
    """Keys of `ALGORITHMS`."""
    types: tuple[str, ...] = ()
    """`typ` of a token is one of them, in small letters; empty: any."""
    leeway_s: float = 0.0
    """By so much may its clock be wrong."""
    ca_file: str | None = None
    """Certificates that vouch for the server of `jwks_url`; None: those that the machine trusts."""
    accounts_claim: ClaimPath | None = None
    """Accounts that the caller may act for; None: tokens name none."""
    app_claim: ClaimPath | None = None
    """The app through which the caller sends; None: tokens name none."""
    scopes_claim: ClaimPath | None = None
    """Scopes by their names; None: tokens name none."""
    groups_claim: ClaimPath | None = None
    """Groups or roles, which `groups` gives a meaning; None: tokens name none."""
    groups: Mapping[str, Grant] = field(default_factory=dict)
    """What members of a group may do besides."""
    everybody: Grant = field(default_factory=Grant)
    """What every caller with a token of the issuer may do."""
    app_id: str | None = None
    """The app of callers whose token names none; None: none."""
