"""The header under which a request may be repeated without effect."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gateway_http.shared import reasons
from gateway_http.shared.problem import invalid_fields
from service_kit.errors import Violation

NAME = "Idempotency-Key"
MAX_KEY = 128
_HEADER = NAME.lower().encode()

Headers = Iterable[tuple[bytes, bytes]]


def given_key(headers: Headers) -> str | None:
    """The key as it was given, which is not checked here; None without one. Raises ProblemError for two."""
    given = [value for name, value in headers if name == _HEADER]
    if not given:
        return None
    if len(given) > 1:
        raise invalid_fields([Violation(NAME, reasons.REPEATED_PARAMETER, "is given more than once; give it once")])
    return given[0].decode("latin-1")


def message_key(headers: Headers) -> str | None:
    """What the `messageId` of an SMS without one is made of; None without the header.

    Raises ProblemError for two headers, and for one that is not of 1 to MAX_KEY printable characters.
    """
    key = given_key(headers)
    if key is None:
        return None
    if not (1 <= len(key) <= MAX_KEY and key.strip() and key.isprintable()):
        problem = f"is not made of 1 to {MAX_KEY} printable characters; give for instance a UUID"
        raise invalid_fields([Violation(NAME, reasons.INVALID_IDENTIFIER, problem)])
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def refuse_key(headers: Headers) -> None:
    """Raises ProblemError when a key is given to a route whose repetition has another effect, and which keeps no keys.

    To ignore one would tell the caller that it may repeat the request.
    """
    if any(name == _HEADER for name, _ in headers):
        problem = "is not kept by this route, and a repetition would do its work again; leave it out"
        raise invalid_fields([Violation(NAME, reasons.NOT_ALLOWED, problem)])
