"""How callers are refused. What is said depends on their credential and request alone, never on what exists."""

from __future__ import annotations

from service_kit import reasons
from service_kit.access.principal import Principal
from service_kit.errors import Kind, ServiceError


def unauthenticated(problem: str) -> ServiceError:
    """Nobody knows who calls; `problem` is a sentence that names no part of a credential."""
    return ServiceError(Kind.UNAUTHENTICATED, reasons.UNAUTHENTICATED, problem)


def scope_missing(scope: str) -> ServiceError:
    """The caller may not do this at all."""
    return ServiceError(
        Kind.PERMISSION_DENIED,
        reasons.PERMISSION_DENIED,
        f"this credential lacks the scope {scope}; use one that has it",
        metadata={"scope": scope},
    )


def account_denied() -> ServiceError:
    """The caller may do this, but not for the account that the request names; whether it exists is not looked up."""
    return ServiceError(
        Kind.PERMISSION_DENIED,
        reasons.PERMISSION_DENIED,
        "this credential may not act for that account; name one of its own",
    )


def all_accounts_needed() -> ServiceError:
    """The call is for callers that may act for all accounts."""
    return ServiceError(
        Kind.PERMISSION_DENIED,
        reasons.PERMISSION_DENIED,
        "this is for all accounts, and this credential for single ones; name one of its own where that is possible",
    )


def live_mode_needed() -> ServiceError:
    """The call is about what is real, and the caller's credential for tests."""
    return ServiceError(
        Kind.PERMISSION_DENIED,
        reasons.PERMISSION_DENIED,
        "this credential is for tests; use a live one",
    )


def require_scope(principal: Principal, scope: str) -> None:
    """Raises ServiceError unless the caller has the scope."""
    if not principal.may(scope):
        raise scope_missing(scope)


def require_account(principal: Principal, account: str) -> None:
    """Raises ServiceError unless the caller may act for the account."""
    if not principal.acts_for(account):
        raise account_denied()


def app_of(principal: Principal, asked: str | None) -> str | None:
    """The app through which a caller sends: that of its credential; None for none.

    Only a caller for all accounts may name another one, on behalf of whoever sends: an app decides on the price, so
    nobody else is believed to come through one. Raises ServiceError.
    """
    if asked is None or asked == principal.app_id:
        return principal.app_id
    if principal.accounts is not None:
        raise ServiceError(
            Kind.PERMISSION_DENIED,
            reasons.PERMISSION_DENIED,
            "this credential does not send through that app; leave app_id out, or give its own",
        )
    return asked
