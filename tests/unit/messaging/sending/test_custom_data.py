"""Metadata of clients: any JSON object that PostgreSQL can keep, and nothing else."""

from __future__ import annotations

import pytest

from messaging_service.sending.domain.validation import (
    MAX_CUSTOM_DATA_BYTES,
    MAX_CUSTOM_DATA_DEPTH,
    MAX_CUSTOM_DATA_EXPONENT,
    custom_data_problem,
)
from tests.contract.sms_examples import request


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        ' {"purpose" : "Account Verification", "linkedTransactionId": "txn789"}\n',
        '{"a": [1, -0.0, 1e30, 1.5e-30, true, false, null, "", {"b": []}]}',
        '{"a": "\\u0001 \\\\u0000 \\\\\\\\u0000 \\ud83d\\ude00 😀 \\"quoted\\""}',
        '{"\\\\u0000": "a backslash and u0000"}',
        '{"a": 1, "a": 2}',
        '{"": ""}',
        '{"a": ' + "9" * 31 + "}",
        '{"a": 0.' + "9" * 4_000 + "}",
    ],
)
def test_a_json_object_is_kept(text: str) -> None:
    assert custom_data_problem(text) is None
    request(custom_data_json=text).fingerprint()


@pytest.mark.parametrize("text", ["", "null", "1", '"text"', "[]", "[{}]", "true", "{", "{}{}", "{'a': 1}", "{a: 1}"])
def test_anything_but_an_object_is_refused(text: str) -> None:
    assert custom_data_problem(text) is not None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1_000", "١"])
def test_what_is_no_number_of_json_is_refused(number: str) -> None:
    assert custom_data_problem(f'{{"a": {number}}}') is not None


@pytest.mark.parametrize(
    "number",
    [
        "1e400",
        "-1e400",
        "1e-400",
        f"1e{MAX_CUSTOM_DATA_EXPONENT + 1}",
        "9" * (MAX_CUSTOM_DATA_EXPONENT + 2),
        "1e99999999999999999999",
        "1e-99999999999999999999",
        # Zeros have no size, but PostgreSQL keeps their decimals.
        "0e-20000",
        "0e2000000000",
        "0e99999999999999999999",
        "0.0e-20000",
    ],
)
@pytest.mark.parametrize("place", ['{{"a": {}}}', '{{"a": {}, "a": 1}}', '{{"a": [[{}]]}}'])
def test_numbers_beyond_every_use_are_refused(number: str, place: str) -> None:
    problem = custom_data_problem(place.format(number))
    assert problem is not None
    assert "out of range" in problem


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\u0000"}',
        '{"\\u0000": 1}',
        '{"a": ["x", {"b": "\\\\\\u0000"}]}',
        # The first of two members with one name loses, but it is read nonetheless.
        '{"a": "\\u0000", "a": 1}',
        '{"a": {"b": "\\u0000", "b": 1}}',
    ],
)
def test_the_zero_character_is_refused(text: str) -> None:
    problem = custom_data_problem(text)
    assert problem is not None
    assert "U+0000" in problem


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud800"}',
        '{"a": "\\udc00\\ud800"}',
        '{"\\udfff": 1}',
        '{"a": "\\ud800", "a": 1}',
        '{"a": "\ud800"}',
    ],
)
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    problem = custom_data_problem(text)
    assert problem is not None
    assert "surrogate" in problem


def nested(levels: int, opening: str, closing: str) -> str:
    return '{"a":' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[0,{"a":', "}]")])
def test_depth_is_bounded_at_the_same_level_everywhere(opening: str, closing: str) -> None:
    levels_of_one = opening.count("[") + opening.count("{")
    fitting = 1 + (MAX_CUSTOM_DATA_DEPTH - 1) // levels_of_one
    assert custom_data_problem(nested(fitting, opening, closing)) is None
    problem = custom_data_problem(nested(fitting + 1, opening, closing))
    assert problem is not None
    assert "too deeply" in problem


def test_no_depth_that_fits_the_size_breaks_the_reader() -> None:
    for levels in (500, 900, 950, 980, 1_000, 1_500, 2_000):
        assert custom_data_problem('{"a":' + "[" * levels + "]" * levels + "}") is not None


def test_the_size_counts_in_bytes() -> None:
    room = MAX_CUSTOM_DATA_BYTES - len('{"a":""}')
    assert custom_data_problem('{"a":"' + "x" * room + '"}') is None
    assert custom_data_problem('{"a":"' + "é" * (room // 2) + '"}') is None
    for text in ('{"a":"' + "x" * (room + 1) + '"}', '{"a":"' + "é" * (room // 2 + 1) + '"}'):
        problem = custom_data_problem(text)
        assert problem is not None
        assert str(MAX_CUSTOM_DATA_BYTES) in problem


def test_a_problem_repeats_nothing_of_the_data() -> None:
    for text in ('{"pin": "4321",}', '{"pin": 4321e9999}', '["4321"]', '{"pin": "4321\\u0000"}'):
        problem = custom_data_problem(text)
        assert problem is not None
        assert "4321" not in problem
