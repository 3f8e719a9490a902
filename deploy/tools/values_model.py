"""What a value of the chart is: its default, what it means, and what may stand in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65_535}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
LABELS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
ANY_MAP: Final[Schema] = {"type": "object"}
"""Handed on as it is; the API of Kubernetes knows what may be inside."""
ANY_LIST: Final[Schema] = {"type": "array", "items": {"type": "object"}}
"""Likewise."""
QUANTITY: Final[Schema] = {"type": ["string", "integer"], "pattern": r"^[0-9.]+([munkMGTP]i?)?$"}


def number(minimum: int, maximum: int) -> Schema:
    """Whole numbers within bounds, both included."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def words(*allowed: str) -> Schema:
    """One of a few words."""
    return {"type": "string", "enum": list(allowed)}


def matching(pattern: str) -> Schema:
    """Text of a form."""
    return {"type": "string", "pattern": pattern}


def nullable(schema: Schema) -> Schema:
    """The same, or null for none."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """A map with exactly these keys."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


@dataclass(frozen=True, slots=True)
class Value:
    """One value."""

    default: Any
    meaning: str
    """What it decides, with its unit; a sentence without a full stop, for the README and for values.yaml."""
    schema: Schema


@dataclass(frozen=True, slots=True)
class Values:
    """Values under one key."""

    meaning: str
    inside: Mapping[str, Value | Values]


Node = Value | Values


def defaults(node: Node) -> Any:  # noqa: ANN401 - whatever YAML can hold
    """What stands in values.yaml."""
    if isinstance(node, Value):
        return node.default
    return {key: defaults(inner) for key, inner in node.inside.items()}


def schema_of(node: Node) -> Schema:
    """The JSON schema; it takes no key that is not declared."""
    if isinstance(node, Value):
        return {"description": node.meaning, **node.schema}
    return {
        "description": node.meaning,
        "type": "object",
        "additionalProperties": False,
        "properties": {key: schema_of(inner) for key, inner in node.inside.items()},
    }


def leaves(node: Node, path: str = "") -> list[tuple[str, Value]]:
    """Every value with its path, such as `messaging.smpp.host`."""
    if isinstance(node, Value):
        return [(path, node)]
    found: list[tuple[str, Value]] = []
    for key, inner in node.inside.items():
        found += leaves(inner, f"{path}.{key}" if path else key)
    return found
