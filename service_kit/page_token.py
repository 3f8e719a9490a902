"""Opaque page tokens: the position in a list, bound to the question that it belongs to and the caller's accounts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from service_kit import reasons
from service_kit.access.caller import caller_accounts
from service_kit.errors import ServiceError, Violation, invalid

_REASONS = {"page_token": reasons.INVALID_PAGE_TOKEN, "cursor": reasons.INVALID_CURSOR}


def encode(position: Sequence[str | int], question: Sequence[str | int | None]) -> str:
    """A token for the rows after `position`, usable only with the same question."""
    body = json.dumps([_digest(question), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode(token: str, question: Sequence[str | int | None], length: int, field: str = "page_token") -> list[str | int]:
    """The position in a token, a list of `length` values.

    Raises ServiceError INVALID, for the field that the token came in, when it is malformed or belongs to another
    question.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise refused("is not a token that this service made; start again without it", field) from None
    if (
        not isinstance(parts, list)
        or len(parts) != length + 1
        or any(isinstance(part, bool) or not isinstance(part, str | int) for part in parts)
    ):
        raise refused("is not a token that this service made; start again without it", field)
    if parts[0] != _digest(question):
        raise refused("belongs to another question; repeat the one that it was the answer to", field)
    return parts[1:]


def _digest(question: Sequence[str | int | None]) -> str:
    accounts = caller_accounts()
    bound = list(question) if accounts is None else [list(question), sorted(accounts)]
    return hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:16]


def refused(problem: str, field: str = "page_token") -> ServiceError:
    """The error for a token that leads nowhere, in the field `page_token` or `cursor`."""
    return invalid([Violation(field, _REASONS[field], problem)])
