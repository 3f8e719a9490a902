"""Query parameters, read strictly: unknown, repeated and empty ones are refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.shared import reasons
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import timestamp
from service_kit.errors import Violation
from service_kit.grpc.timestamps import to_timestamp
from service_kit.months import month

W = TypeVar("W", bound=str)
V = TypeVar("V")


def parameters(query: bytes, known: Sequence[str], required: Sequence[str] = ()) -> dict[str, str]:
    """The parameters by name; raises ProblemError that names every one at fault."""
    if not query and not required:
        return {}
    values: dict[str, str] = {}
    faults: list[Violation] = []
    for name, value in _pairs(query, faults):
        if name not in known:
            hint = f"it has {', '.join(known)}" if known else "it has none"
            faults.append(
                Violation(name[:100], reasons.UNKNOWN_PARAMETER, f"is not a query parameter of this route; {hint}")
            )
        elif name in values:
            faults.append(Violation(name, reasons.REPEATED_PARAMETER, "is given more than once; give it once"))
        elif not value:
            values[name] = value
            faults.append(Violation(name, reasons.EMPTY_PARAMETER, "has no value; give one or leave it out"))
        else:
            values[name] = value
    faults.extend(
        Violation(name, reasons.REQUIRED, "is missing; it is required") for name in required if name not in values
    )
    if faults:
        raise invalid_fields(faults)
    return values


def _pairs(query: bytes, faults: list[Violation]) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except UnicodeDecodeError:
        faults.append(Violation("", reasons.INVALID_TEXT, "the query is not percent-encoded UTF-8; encode it so"))
    except ValueError:
        faults.append(Violation("", reasons.UNKNOWN_PARAMETER, "the query has too many parameters; send fewer"))
    return []


def choice(values: Mapping[str, str], name: str, allowed: Sequence[str]) -> str | None:
    """A parameter that takes one of a few words; None when it is absent. Raises ProblemError otherwise."""
    value = values.get(name)
    if value is not None and value not in allowed:
        words = " or ".join(f'"{word}"' for word in allowed)
        raise invalid_fields([Violation(name, reasons.INVALID_VALUE, f"is none of the allowed values; give {words}")])
    return value


def chosen(values: Mapping[str, str], name: str, meanings: Mapping[W, V], absent: V) -> V:
    """What the word of a parameter means; `absent` without one. Raises ProblemError for any other word."""
    word = choice(values, name, list(meanings))
    return next((meaning for known, meaning in meanings.items() if known == word), absent)


def flag(values: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false`; False when it is absent. Raises ProblemError otherwise."""
    return choice(values, name, ("true", "false")) == "true"


def moments(values: Mapping[str, str], *names: str) -> dict[str, Timestamp]:
    """The instants among the parameters, by name, without those that are absent; raises ProblemError."""
    read = {name: timestamp(values[name], name) for name in names if name in values}
    if faults := [_hinted(fault, values) for fault in read.values() if isinstance(fault, Violation)]:
        raise invalid_fields(faults)
    return {name: value for name, value in read.items() if isinstance(value, Timestamp)}


PERIOD = ("from", "to", "period")
"""The parameters that `period` reads."""


def period(values: Mapping[str, str]) -> tuple[Timestamp, Timestamp]:
    """The first instant of the period asked for and the first one after it: `from` and `to`, or a month as `period`.

    Raises ProblemError that names what is missing, too much, or cannot be read.
    """
    text = values.get("period")
    given = [name for name in ("from", "to") if name in values]
    if text is None:
        if missing := [name for name in ("from", "to") if name not in given]:
            problem = 'is missing; give "from" and "to", or a month of Nairobi as "period", for instance 2026-10'
            raise invalid_fields([Violation(name, reasons.REQUIRED, problem) for name in missing])
        read = moments(values, "from", "to")
        return read["from"], read["to"]
    if given:
        problem = 'says a period beside "period"; give a month as "period", or "from" and "to"'
        raise invalid_fields([Violation(name, reasons.NOT_ALLOWED, problem) for name in given])
    try:
        start, end = month(text)
    except ValueError as error:
        raise invalid_fields(
            [Violation("period", reasons.INVALID_VALUE, f"{error}; write the year and the month")]
        ) from None
    return to_timestamp(start), to_timestamp(end)


def _hinted(fault: Violation, values: Mapping[str, str]) -> Violation:
    # An offset such as +03:00 arrives as a space and 03:00 when it is not encoded.
    hint = "; in a query, write the + of an offset as %2B" if " " in values[fault.field] else ""
    return Violation(fault.field, fault.reason, fault.description + hint)


def limit(values: Mapping[str, str], maximum: int) -> int:
    """The `limit` parameter, 1 to `maximum`; 0, the service's default, when it is absent."""
    return whole_number(values, "limit", maximum)


def whole_number(values: Mapping[str, str], name: str, maximum: int) -> int:
    """A parameter that is 1 to `maximum`; 0 when it is absent. Raises ProblemError otherwise."""
    text = values.get(name)
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= maximum:
        raise invalid_fields(
            [Violation(name, reasons.OUT_OF_RANGE, f"is not a whole number from 1 to {maximum:,}; give one")]
        )
    return int(text)


def next_link(path: str, values: Mapping[str, str], page_token: str) -> str:
    """The value of a `Link` header to the next page: the same question with its token."""
    query = urlencode({**values, "pageToken": page_token})
    return f'<{path}?{query}>; rel="next"'
