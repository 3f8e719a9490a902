"""The examples of the contract documents, and how answers are held against them to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "examples"
_COMMENT = re.compile(r"\s//.*$", re.MULTILINE)

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")


class Number(str):
    """A JSON number as it was written: `0.6` and `0.60` differ, and neither is the text "0.6"."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and str.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((Number, str(self)))


def printed(name: str) -> str:
    """An example as the document prints it."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def example(name: str) -> str:
    """An example as JSON: without the comments that the document prints beside it."""
    return _COMMENT.sub("", printed(name)) if name.endswith(".jsonc") else printed(name)


def to_the_letter(text: str) -> Any:
    """JSON with its numbers as written."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def fields(value: Any) -> Any:
    """The names of all fields, in their order and at every depth."""
    if isinstance(value, dict):
        return {name: fields(inner) for name, inner in value.items()}
    return [fields(inner) for inner in value] if isinstance(value, list) else None


def in_order(value: Any) -> str:
    """Fields at every depth as a text, in which their order counts too."""
    return json.dumps(fields(value))
