"""A key on record, without its secret, and what may become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from messaging_service.access.domain.key_terms import KeyTerms
from messaging_service.shared.domain import reasons
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.errors import Kind, ServiceError, Violation, invalid

OVERLAP: Final = timedelta(hours=24)
"""How long a key stays valid beside the one that replaces it, unless somebody says otherwise."""
MAX_OVERLAP: Final = timedelta(days=30)


class KeyStatus(StrEnum):
    """Where a key stands."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    """Somebody ended it, before or after its time was over."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key. It is never deleted, so that who could do what, and when, can be shown later."""

    id: str
    """Its public part, such as `tk_live_4fQ2bT9x`, which is also the id of the principal that calls with it."""
    terms: KeyTerms
    created_at: datetime
    created_by: str
    """The principal that made it."""
    last_used_at: datetime | None = None
    """When it was last shown, to about a minute; None before its first use."""
    revoked_at: datetime | None = None
    """When it was revoked; None when it was not."""
    revoked_by: str | None = None
    """The principal that revoked it."""
    replaced_by: str | None = None
    """The id of the key that was made to replace it; None without one."""

    def status(self, now: datetime) -> KeyStatus:
        """Where it stands at an instant."""
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        is_over = self.terms.expires_at is not None and self.terms.expires_at <= now
        return KeyStatus.EXPIRED if is_over else KeyStatus.ACTIVE

    def principal(self) -> Principal:
        """Who calls with it."""
        terms = self.terms
        return Principal(self.id, PrincipalKind.API_KEY, terms.accounts, terms.scopes, terms.app_id, terms.mode)


def checked_overlap(overlap: timedelta | None) -> timedelta:
    """The overlap of a rotation; None means OVERLAP. Raises ServiceError INVALID."""
    if overlap is None:
        return OVERLAP
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        problem = f"is not 0 seconds to {MAX_OVERLAP.days} days; the old key stays valid for that time"
        raise invalid([Violation("overlap", reasons.OUT_OF_RANGE, problem)])
    return overlap


def require_rotatable(key: KeyRecord, now: datetime) -> None:
    """Raises ServiceError KEY_ENDED or KEY_REPLACED when no other key can take the place of this one."""
    status = key.status(now)
    if status is not KeyStatus.ACTIVE:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.KEY_ENDED,
            f"key {key.id} is {status.value}, so nothing is to be replaced; make a new key",
            metadata={"key": key.id, "status": status.value},
        )
    if key.replaced_by is not None:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.KEY_REPLACED,
            f"key {key.id} is replaced by {key.replaced_by} already; rotate that one, or revoke this one",
            metadata={"key": key.id, "replaced_by": key.replaced_by},
        )


def terms_of_successor(key: KeyRecord, now: datetime) -> KeyTerms:
    """The terms of the key that replaces this one: the same, with as long a life from now on as this one was given."""
    if key.terms.expires_at is None:
        return key.terms
    return replace(key.terms, expires_at=now + (key.terms.expires_at - key.created_at))


def no_such_key() -> ServiceError:
    """The error for a key that is not there; for those who show one, also for a key that is not valid."""
    return ServiceError(Kind.NOT_FOUND, reasons.KEY_NOT_FOUND, "there is no such key; list the keys to find its id")
