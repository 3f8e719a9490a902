"""What the claims of a token that was verified mean: who calls, for which accounts, with which scopes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from service_kit.access.oidc.issuer import ClaimPath, Grant, Issuer
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.refusals import unauthenticated
from service_kit.access.scopes import SCOPES, SELDOM
from service_kit.identifiers import identifier_problem

SUBJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~@|:+/=-]{0,127}")
"""`sub` as it may stand in logs and records: so that none can look like another, or like two."""

Claims = Mapping[str, Any]


def to_principal(claims: Claims, issuer: Issuer) -> Principal:
    """The caller that a token of the issuer speaks of.

    A token cannot give itself more than the issuers file says: scopes that it names are taken where they exist, `*`
    comes from the file only, and scopes of the platform's own programs never come.

    Raises ServiceError UNAUTHENTICATED when a claim has another form than the file says.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise unauthenticated("the subject of the token is empty, too long or has odd characters")
    grants = [issuer.everybody]
    grants += [issuer.groups[name] for name in _words(claims, issuer.groups_claim, "groups") if name in issuer.groups]
    named = frozenset(word for word in _words(claims, issuer.scopes_claim, "scopes") if word in SCOPES)
    return Principal(
        id=f"{issuer.name}:{subject}",
        kind=PrincipalKind.OIDC,
        accounts=_accounts(claims, issuer, grants),
        scopes=named.union(*(grant.scopes for grant in grants)) - SELDOM,
        app_id=_app(claims, issuer),
    )


def _accounts(claims: Claims, issuer: Issuer, grants: list[Grant]) -> frozenset[str] | None:
    named = frozenset(_list(claims, issuer.accounts_claim, "accounts"))
    if any(identifier_problem(account) is not None for account in named):
        raise unauthenticated("the token names an account that can be none")
    if any(grant.all_accounts for grant in grants):
        return None
    return named.union(*(grant.accounts for grant in grants))


def _app(claims: Claims, issuer: Issuer) -> str | None:
    found = _claim(claims, issuer.app_claim)
    if found is None:
        return issuer.app_id
    if not isinstance(found, str) or identifier_problem(found) is not None:
        raise unauthenticated("the token names an app that can be none")
    return found


def _words(claims: Claims, path: ClaimPath | None, what: str) -> list[str]:
    """A list of texts, or a text with spaces between them as `scope` of OAuth is."""
    found = _claim(claims, path)
    return found.split() if isinstance(found, str) else _list(claims, path, what)


def _list(claims: Claims, path: ClaimPath | None, what: str) -> list[str]:
    """A list of texts, or the only one."""
    found = _claim(claims, path)
    if found is None:
        return []
    if isinstance(found, str):
        return [found]
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise unauthenticated(f"the {what} in the token are not a list of texts")
    return found


def _claim(claims: Claims, path: ClaimPath | None) -> object:
    found: object = claims if path else None
    for name in path or ():
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
