"""The header under which a request may be repeated without effect."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from gateway_http.shared.problem import invalid_fields
from service_kit.errors import Violation

NAME = "Idempotency-Key"
MAX_KEY = 128
_HEADER = NAME.lower().encode()

Endpoint = Callable[[Request], Awaitable[Response]]


def idempotency_key(request: Request) -> str | None:
    """The key as it was given, which the service checks; None without one. Raises ProblemError for two."""
    given = request.headers.getlist(NAME)
    if len(given) > 1:
        raise invalid_fields([Violation(NAME, "REPEATED_PARAMETER", "is given more than once; give it once")])
    return given[0] if given else None


def message_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What the `messageId` of an SMS without one is made of; None without the header.

    Raises ProblemError for two headers, and for one that is not of 1 to MAX_KEY printable characters.
    """
    given = [value for name, value in headers if name == _HEADER]
    if not given:
        return None
    if len(given) > 1:
        raise invalid_fields([Violation(NAME, "REPEATED_PARAMETER", "is given more than once; give it once")])
    key = given[0].decode("latin-1")
    if not (1 <= len(key) <= MAX_KEY and key.strip() and key.isprintable()):
        problem = f"is not made of 1 to {MAX_KEY} printable characters; give for instance a UUID"
        raise invalid_fields([Violation(NAME, "INVALID_IDENTIFIER", problem)])
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def without_key(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose repetition has another effect, and which keeps no keys: it refuses them by name.

    To ignore one would tell the caller that it may repeat the request.
    """

    @wraps(endpoint)
    async def refusing(request: Request) -> Response:
        if NAME in request.headers:
            problem = "is not kept by this route, and a repetition would do its work again; leave it out"
            raise invalid_fields([Violation(NAME, "NOT_ALLOWED", problem)])
        return await endpoint(request)

    return refusing
