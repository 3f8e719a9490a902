"""Opaque page tokens: the position in a list, bound to the question that it belongs to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from service_kit.errors import ServiceError, Violation, invalid


def encode(position: Sequence[str | int], question: Sequence[str | int | None]) -> str:
    """A token for the rows after `position`, usable only with the same question."""
    body = json.dumps([_digest(question), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode(token: str, question: Sequence[str | int | None], length: int) -> list[str | int]:
    """The position in a token, a list of `length` values.

    Raises ServiceError INVALID when the token is malformed or belongs to another question.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _refused("is not a token that this service made; start again without it") from None
    if (
        not isinstance(parts, list)
        or len(parts) != length + 1
        or any(isinstance(part, bool) or not isinstance(part, str | int) for part in parts)
    ):
        raise _refused("is not a token that this service made; start again without it")
    if parts[0] != _digest(question):
        raise _refused("belongs to a list with other filters; repeat the filters of the first page")
    return parts[1:]


def _digest(question: Sequence[str | int | None]) -> str:
    return hashlib.sha256(json.dumps(list(question)).encode()).hexdigest()[:16]


def _refused(problem: str) -> ServiceError:
    return invalid([Violation("page_token", "INVALID_PAGE_TOKEN", problem)])
