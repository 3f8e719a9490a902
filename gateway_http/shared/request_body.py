"""Reads request bodies within bounds, and decodes them strictly: unknown fields are refused by name."""

from __future__ import annotations

import asyncio
import codecs
import json
import re
import typing
from collections import Counter
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec
from starlette.types import Receive

from gateway_http.shared import reasons
from gateway_http.shared.problem import ProblemError, invalid_fields
from service_kit.errors import Violation

T = TypeVar("T", bound=msgspec.Struct)

MAX_BODY_BYTES = 65_536
"""Of a request for one thing."""
BODY_TIMEOUT_S = 30.0

_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`")
_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}


class ClientGoneError(Exception):
    """The client left before its body was complete, so no answer is sent."""


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The whole body of a request that declares JSON.

    Raises ProblemError when it is declared as something else, is larger than `max_bytes`, or does not
    arrive within BODY_TIMEOUT_S; ClientGoneError when the client leaves.
    """
    content_type = b""
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-encoding":
            check_coding(value)
        elif name == b"content-length" and int(value) > max_bytes:
            raise _too_large(max_bytes)
    body = await received(receive, max_bytes)
    # RFC 8259 §8.1 lets a parser ignore the mark, which editors write unseen.
    body = body.removeprefix(codecs.BOM_UTF8)
    # An empty body is not of the wrong type: it lacks fields, and that is the better answer.
    if content_type != b"application/json" and body and not _is_json(content_type):
        raise _wrong_type(content_type)
    return body


async def received(receive: Receive, max_bytes: int) -> bytes:
    """The whole body of a request, of whatever type; raises as `read_body` does."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                body: bytes = message["body"]
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
                return body
            parts, size = [], 0
            while message["type"] == "http.request":
                parts.append(message["body"])
                size += len(parts[-1])
                if size > max_bytes:
                    raise _too_large(max_bytes)
                if not message.get("more_body"):
                    return b"".join(parts)
                message = await receive()
    except TimeoutError:
        raise ProblemError(
            reasons.BODY_TIMEOUT,
            f"the body did not arrive within {BODY_TIMEOUT_S:g} s; nothing was stored, send it again",
            headers={"Connection": "close"},
        ) from None
    raise ClientGoneError


def check_coding(value: bytes) -> None:
    """Raises ProblemError for a Content-Encoding other than `identity`: bodies are read as they are."""
    if value.strip().lower() not in {b"", b"identity"}:
        raise ProblemError(
            reasons.UNSUPPORTED_CONTENT_CODING,
            f"the body is declared as {value.decode('latin-1')[:100]!r}; send it without a Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )


def _is_json(content_type: bytes) -> bool:
    # RFC 8259 §11: a charset has no effect. What is no UTF-8 fails as such.
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(
        reasons.BODY_TOO_LARGE, f"the body has more than {max_bytes} bytes; send less, for instance less customData"
    )


def _wrong_type(content_type: bytes) -> ProblemError:
    given = content_type.decode("latin-1")[:100]
    return ProblemError(
        reasons.UNSUPPORTED_MEDIA_TYPE,
        f"the body is declared as {given!r}; send the header Content-Type: application/json"
        if given
        else "the body has no Content-Type; send the header Content-Type: application/json",
    )


class JsonBody(Generic[T]):
    """Decodes bodies of one shape, given as a msgspec struct that forbids unknown fields."""

    def __init__(self, shape: type[T], *, large_field: str | None = None) -> None:
        """`large_field` is the only field of a body of megabytes, whose parts are decoded one by one later."""
        self._shape = shape
        self._decoder = msgspec.json.Decoder(shape)
        self._screen = None if large_field is None else f'"{large_field}"'.encode()

    def decode(self, body: bytes) -> T:
        """The body as its struct; raises ProblemError that names every field at fault."""
        try:
            decoded = self._decoder.decode(body)
        except msgspec.ValidationError:
            # The decoder stops at the first fault. This is the slow way, which finds all of them.
            raise self._explained(body) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(body, error) from None
        if repeated := self._repeated(body):
            raise invalid_fields(repeated)
        return decoded

    def _repeated(self, body: bytes) -> list[Violation]:
        """Fields that are given more than once, at any depth: parsers differ in which of the values they take."""
        if self._screen is not None and body.count(self._screen) < 2:
            return []
        names: dict[str, None] = {}

        def noting(pairs: list[tuple[str, object]]) -> None:
            if len(pairs) != len(dict(pairs)):
                counted = Counter(name for name, _ in pairs)
                names.update(dict.fromkeys(name for name, count in counted.items() if count > 1))

        try:
            # Numbers stay texts: nobody reads them, and Python refuses to read long ones.
            text = body.decode("utf-8", "replace")
            json.loads(text, object_pairs_hook=noting, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            # A part that is passed on as it is may be no JSON to Python; its reader will say so.
            return []
        return [
            Violation(name[:100], reasons.REPEATED_FIELD, "is given more than once; give it once") for name in names
        ]

    def _explained(self, body: bytes) -> ProblemError:
        try:
            members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError as error:
            return invalid_fields([Violation("", reasons.WRONG_TYPE, f"the body {_sentence(str(error))}")])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _malformed(body, error)
        violations = self._repeated(body)
        fields = msgspec.structs.fields(self._shape)
        for field in fields:
            raw = members.pop(field.encode_name, None)
            if raw is None or bytes(raw) == b"null":
                if field.required:
                    what = "is missing" if raw is None else "is null"
                    violations.append(Violation(field.encode_name, reasons.REQUIRED, f"{what}; it is required"))
                continue
            if violation := _field_violation(field.encode_name, field.type, raw):
                violations.append(violation)
        known = ", ".join(field.encode_name for field in fields)
        hint = f"the fields of this request are {known}" if known else "this request has no fields"
        violations.extend(
            Violation(name[:100], reasons.UNKNOWN_FIELD, f"is not a field of this request; {hint}") for name in members
        )
        return invalid_fields(violations)


def _field_violation(name: str, expected: Any, raw: msgspec.Raw) -> Violation | None:  # noqa: ANN401 - a type
    try:
        msgspec.json.decode(raw, type=expected)
    except msgspec.ValidationError as error:
        text = str(error)
        path = match["path"] if (match := _PATH.search(text)) else ""
        if allowed := _literals(expected):
            return Violation(name + path, reasons.INVALID_VALUE, f"is none of the allowed values; give {allowed}")
        return Violation(name + path, reasons.WRONG_TYPE, _sentence(text))
    except UnicodeDecodeError:
        return Violation(name, reasons.INVALID_TEXT, "is not valid UTF-8; encode the body in UTF-8")
    except (msgspec.DecodeError, RecursionError):
        return Violation(name, reasons.INVALID_TEXT, "holds an escape that is not a character; correct it")
    return None


def _literals(expected: Any) -> str:  # noqa: ANN401 - a type
    """The values that a type allows, when it is a choice of a few."""
    if typing.get_origin(expected) is typing.Literal:
        return " or ".join(f'"{value}"' for value in typing.get_args(expected))
    return "".join(filter(None, map(_literals, typing.get_args(expected))))


def _sentence(text: str) -> str:
    """A decoder's complaint in the words of JSON."""
    match = _EXPECTED.search(text)
    if match is None:
        return "has another shape than documented; see /docs"
    expected = [_WORDS.get(word, word) for word in match["expected"].split(" | ") if word != "null"]
    return f"is {_WORDS.get(match['got'], match['got'])}; give {' or '.join(expected)}"


def _malformed(body: bytes, error: Exception) -> ProblemError:
    if not body:
        return ProblemError(reasons.MALFORMED_JSON, "the body is empty; send a JSON object")
    if isinstance(error, RecursionError):
        return ProblemError(reasons.MALFORMED_JSON, "the body is nested too deeply; flatten it")
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return ProblemError(
            reasons.MALFORMED_JSON, f"the body is not UTF-8 at {_place(body, wrong.start)}; encode it in UTF-8"
        )
    match = re.search(r"(?:malformed: )?(?P<what>[^:]*) \(byte (?P<at>\d+)\)", str(error))
    if match is None and re.search(rb"\\u[dD][89abAB]..[^\\]{0,5}$", body, re.DOTALL):
        return ProblemError(
            reasons.MALFORMED_JSON, "the body holds half of a surrogate pair, which is not a character; remove it"
        )
    if match is None:
        return ProblemError(reasons.MALFORMED_JSON, "the body ends in the middle of a value; send the whole object")
    return ProblemError(
        reasons.MALFORMED_JSON, f"the body is not JSON: {match['what']} at {_place(body, int(match['at']))}"
    )


def _place(body: bytes, at: int) -> str:
    line = body.count(b"\n", 0, at) + 1
    column = at - (body.rfind(b"\n", 0, at) + 1) + 1
    return f"line {line}, column {column} (byte {at})"
