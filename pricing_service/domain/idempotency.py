"""Requests that may be repeated without effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.cost import CostDraft
from pricing_service.domain.identifier import has_control_character
from service_kit.errors import Kind, ServiceError, Violation

MAX_KEY: Final = 128


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a request with a key came to."""

    fingerprint: str
    """Of the request, so that a key cannot stand for two."""
    cost_ids: Sequence[str | None]
    """The rows that it made, in its order; None for those that changed nothing."""
    previous: Sequence[Decimal | None]
    """The prices in effect before it, in its order; None where there was none."""


def read_key(key: str | None, violations: list[Violation]) -> str | None:
    """Gives the key back; appends a violation unless it is absent or has 1 to 128 printable characters."""
    if key is None:
        return None
    if not key.strip() or len(key) > MAX_KEY or has_control_character(key):
        problem = f"needs 1 to {MAX_KEY} printable characters; leave it out to record without one"
        violations.append(Violation("idempotency_key", reasons.MALFORMED, problem))
    return key


def fingerprint(kind: str, drafts: Iterable[CostDraft]) -> str:
    """A digest that differs between two requests, in 64 hexadecimal digits."""
    digest = hashlib.sha256(kind.encode())
    for draft in drafts:
        fields = [
            draft.tier.level.value,
            draft.tier.entity,
            str(draft.price.normalize()),
            draft.reason,
            draft.effective_from.isoformat(),
            draft.created_by,
            draft.override_guards,
        ]
        digest.update(json.dumps(fields).encode())
    return digest.hexdigest()


def reused(key: str) -> ServiceError:
    """The failure of a request whose key stands for another one."""
    return ServiceError(
        Kind.ALREADY_EXISTS,
        reasons.IDEMPOTENCY_KEY_REUSED,
        "the idempotency key was used for another request: use a new key for a new request",
        metadata={"idempotency_key": key},
    )
