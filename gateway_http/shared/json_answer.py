"""Answers of the ordinary routes."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Metadata = tuple[tuple[str, str], ...]


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401 - any struct
    """A JSON response of msgspec structs."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def call_metadata(request: Request) -> Metadata:
    """What travels with a call to a service: the request's id."""
    return (("x-request-id", request.state.request_id),)
