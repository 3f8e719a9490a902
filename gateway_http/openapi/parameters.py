"""Parameter Objects, and those that several operations have."""

from __future__ import annotations

from gateway_http.openapi.problem_examples import Json
from gateway_http.shared import idempotency_key, preferred_wait


def query_parameter(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    """A Parameter Object in the query."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def header_parameter(name: str, description: str, schema: Json) -> Json:
    """A Parameter Object in the headers."""
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def path_parameter(name: str, description: str, example: str) -> Json:
    """A Parameter Object in the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


def page_parameters(
    what: str, maximum: int, *, unless_given: int = 50, same: str = "with the same filters"
) -> list[Json]:
    """The parameters of a list that comes in pages of 1 to `maximum` elements."""
    return [
        query_parameter(
            "limit",
            f"{what} a page; {unless_given} unless given.",
            {"type": "integer", "minimum": 1, "maximum": maximum},
        ),
        query_parameter(
            "pageToken",
            f"From the `Link` header of the page before, {same}.",
            {"type": "string", "minLength": 1},
        ),
    ]


ONE_LINE: Json = {"type": "string", "minLength": 1, "maxLength": 64}
INSTANT: Json = {"type": "string", "format": "date-time"}
USER_ID = query_parameter("userId", "The account.", ONE_LINE, required=True)
"""Whose things are asked for."""
PERIOD_PARAMETERS = (
    query_parameter("from", "The first instant of the period; with `to`, unless a `period` is given.", INSTANT),
    query_parameter("to", "The first instant after the period.", INSTANT),
    query_parameter(
        "period",
        "A month of Nairobi (UTC+3), instead of `from` and `to`.",
        {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2026-10"]},
    ),
)
"""What a period is asked for by."""
PREFER = header_parameter(
    preferred_wait.NAME,
    "`wait=` and whole seconds: how long you wait for the carrier's answer, if that is less than the gateway does "
    "(5 s). Give it when your client's time-out is shorter: a message that is undecided then comes back `pending` "
    "instead of being lost to the time-out.",
    {"type": "string", "examples": ["wait=2"]},
)


def key_parameter(description: str) -> Json:
    """The header of an operation that keeps idempotency keys."""
    return header_parameter(idempotency_key.NAME, description, {"type": "string", "minLength": 1, "maxLength": 128})
