"""What a principal may do that another one vouches for."""

from __future__ import annotations

from dataclasses import replace

from service_kit.access.principal import Principal
from service_kit.access.scopes import SELDOM


def vouched(asserter: Principal, principal: Principal) -> Principal:
    """The principal as it is believed: for accounts of the asserter, and without scopes of the platform's own programs.

    Its other scopes are as asserted, also those that the asserter lacks: a gateway that may do nothing by itself cannot
    do anything when it forgets to say for whom it calls.
    """
    scopes = principal.scopes - SELDOM
    accounts = principal.accounts
    if asserter.accounts is not None:
        accounts = asserter.accounts if accounts is None else accounts & asserter.accounts
    if scopes == principal.scopes and accounts == principal.accounts:
        return principal
    return replace(principal, scopes=scopes, accounts=accounts)
