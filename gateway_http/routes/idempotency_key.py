"""The header under which a request may be repeated without effect."""

from __future__ import annotations

from starlette.requests import Request

from gateway_http.problem import invalid_fields
from service_kit.errors import Violation

NAME = "Idempotency-Key"


def idempotency_key(request: Request) -> str | None:
    """The key as it was given, which the service checks; None without one. Raises ProblemError for two."""
    given = request.headers.getlist(NAME)
    if len(given) > 1:
        raise invalid_fields([Violation(NAME, "REPEATED_PARAMETER", "is given more than once; give it once")])
    return given[0] if given else None
