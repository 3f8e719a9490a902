"""The rule for identifiers that both services keep."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing_service.domain.identifier import read_new_identifier
from service_kit.errors import Violation
from service_kit.identifiers import MAX_IDENTIFIER, identifier_fault, identifier_problem


@pytest.mark.parametrize(
    "value", ["a", "shop", "SHOP", "Jos\u00e9", "with space", "日本語 😀", "é" * MAX_IDENTIFIER, "+254712345678"]
)
def test_what_can_be_seen_and_typed_is_fine(value: str) -> None:
    assert identifier_fault(value) is None


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        ("", "REQUIRED", "give 1 to 64"),
        ("   ", "REQUIRED", "give 1 to 64"),
        ("a" * 65, "TOO_LONG", "has 65 characters"),
        ("shop ", "MALFORMED", "begins or ends with a space"),
        ("\u3000shop", "MALFORMED", "begins or ends with a space"),
        ("a\tb", "MALFORMED", "control character"),
        ("shop\n", "MALFORMED", "control character"),
        ("sho\u200bp", "MALFORMED", "cannot be printed"),
        ("\ud800", "MALFORMED", "cannot be printed"),
        ("Jose\u0301", "MALFORMED", "normalise it to NFC"),
    ],
)
def test_what_looks_like_another_one_is_refused_with_the_remedy(value: str, reason: str, words: str) -> None:
    fault = identifier_fault(value)
    assert fault is not None
    assert (fault.reason, words in fault.problem) == (reason, True)


@given(st.text(max_size=70))
def test_pricing_and_messaging_refuse_the_same_ids(value: str) -> None:
    found: list[Violation] = []
    read_new_identifier("customer_id", value, found)
    assert [violation.description for violation in found] == (
        [problem] if (problem := identifier_problem(value)) else []
    )


@given(st.text(min_size=1, max_size=20))
def test_no_two_ids_that_are_fine_are_one_in_nfc(value: str) -> None:
    if identifier_problem(value) is None:
        assert unicodedata.normalize("NFC", value).strip() == value
