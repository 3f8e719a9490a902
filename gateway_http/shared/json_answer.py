"""Answers of the ordinary routes."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401 - any struct
    """A JSON response of msgspec structs."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
