"""What the services say to callers names fields in plain words: REST and gRPC spell them differently."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tukupay.sms.messaging.v1 import (
    access_pb2,
    accounts_pb2,
    alerts_pb2,
    carriers_pb2,
    channels_pb2,
    messaging_pb2,
    reports_pb2,
    suppressions_pb2,
    webhooks_pb2,
)
from tukupay.sms.pricing.v1 import pricing_pb2

ROOT = Path(__file__).parents[2]
FIELDS = frozenset(
    field.name
    for module in (
        access_pb2,
        alerts_pb2,
        accounts_pb2,
        carriers_pb2,
        channels_pb2,
        messaging_pb2,
        reports_pb2,
        suppressions_pb2,
        webhooks_pb2,
        pricing_pb2,
    )
    for message in module.DESCRIPTOR.message_types_by_name.values()
    for field in message.fields
)
LEVELS = frozenset({"TUKUPAY", "APP_OWNER", "SPECIFIC_CUSTOMER", "DIRECT_CUSTOMER"})
_WORD = re.compile(r"\b(?:[a-z]+(?:_[a-z0-9]+)+|(?:COST_LEVEL_)?[A-Z]+(?:_[A-Z]+)*)\b")
_SQL = re.compile(
    r"\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|VALUES|NULL|ORDER|TABLE|CASE|AND|AS)\b"
    r"|\w+ (=|<|>=) |^\w+ [-+] \d+$"
)


_NOT_FOR_CALLERS = {"settings.py", "statements.py", "carriers_file.py", "tables.py"}


def sentences(package: str) -> Iterator[tuple[str, str]]:
    """The texts in the source that somebody may read, with the places; neither docstrings nor SQL."""
    for path in sorted((ROOT / package).rglob("*.py")):
        if "migrations" in path.parts or path.name in _NOT_FOR_CALLERS or path.name.endswith("_tables.py"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        documentation = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                text = node.value
                parts = [part.strip() for part in text.split(",")]
                is_columns = all(" " not in part for part in parts) or text.startswith("\n")
                if " " in text and not is_columns and not _SQL.search(text):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def names_in(text: str) -> set[str]:
    words = {word.removeprefix("COST_LEVEL_") for word in _WORD.findall(text)}
    return words & (FIELDS | LEVELS)


@pytest.mark.parametrize("package", ["pricing_service", "messaging_service"])
def test_no_sentence_names_a_field_as_one_protocol_spells_it(package: str) -> None:
    found = list(sentences(package))
    assert len(found) >= 90
    assert [(where, text) for where, text in found if names_in(text) and "::" not in text] == []


def test_names_of_fields_are_found_in_a_sentence() -> None:
    assert names_in("is not after period_start; TUKUPAY and COST_LEVEL_APP_OWNER") == {
        "period_start",
        "TUKUPAY",
        "APP_OWNER",
    }
