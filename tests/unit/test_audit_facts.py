"""What the audit log says of values: exactly, and without full phone numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest

from service_kit.audit.audit_entry import fact, facts_of


class Word(StrEnum):
    A = "a"


@dataclass(frozen=True)
class Limits:
    daily: Decimal | None
    words: frozenset[str]


@dataclass(frozen=True)
class Thing:
    id: UUID
    word: Word
    at: datetime
    limits: Limits
    note: str


THING = Thing(
    UUID(int=7),
    Word.A,
    datetime(2026, 12, 1, 9, tzinfo=UTC),
    Limits(Decimal("0.000001"), frozenset({"b", "a"})),
    "+254712345678 asked, and 254712345678 is a reference",
)


def test_values_are_exact_and_numbers_of_phones_are_masked() -> None:
    assert facts_of(THING) == {
        "id": "00000000000000000000000000000007",
        "word": "a",
        "at": "2026-12-01T09:00:00+00:00",
        "limits": {"daily": "0.000001", "words": ["a", "b"]},
        "note": "+25471…78 asked, and 254712345678 is a reference",
    }
    assert facts_of(THING, "word") == {"word": "a"}
    assert type(fact(Word.A)) is str


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no form for object"):
        fact(object())
