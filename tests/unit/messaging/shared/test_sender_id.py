"""Which senders are taken."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.shared.domain.sender_id import is_alphanumeric, sender_id_problem

NAME_CHARACTERS = string.ascii_letters + string.digits + " -_.&'"


@pytest.mark.parametrize(
    "sender_id",
    [
        "TUKUPAY",
        "T",
        "M-PESA",
        "Java Hse",
        "A&B Ltd.",
        "Ng'ombe",
        "a_b-c.d",
        "12345678901"[:10] + "a",
        "4 You",
    ],
)
def test_a_name_is_fine(sender_id: str) -> None:
    assert sender_id_problem(sender_id) is None
    assert is_alphanumeric(sender_id)


@pytest.mark.parametrize(
    "sender_id",
    [
        *("123", "20880", "254712345678", "+254712345678", "123456789012345", "+123456789012345", "+1234567"),
        *("0722000000", "0800720008", "722000000"),
    ],
)
def test_a_number_or_short_code_is_fine(sender_id: str) -> None:
    assert sender_id_problem(sender_id) is None
    assert not is_alphanumeric(sender_id)


@pytest.mark.parametrize(
    ("sender_id", "fault"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("TUKUPAYKENYA", "has 12 characters", id="a name of 12"),
        pytest.param("1", "is a number of 1 digits", id="one digit"),
        pytest.param("+12", "is a number of 2 digits", id="two digits"),
        pytest.param("+0722000000", "begins with +0", id="a national number with a plus"),
        pytest.param("+22141", "is a short code of 5 digits with a +", id="a short code with a plus"),
        pytest.param("+123456", "is a short code of 6 digits with a +", id="a short code of six digits with a plus"),
        pytest.param("1234567890123456", "is a number of 16 digits", id="16 digits"),
        pytest.param("+1234567890123456", "is a number of 16 digits", id="16 digits after a plus"),
        pytest.param("TUKU+PAY", "has a character", id="a plus in a name"),
        pytest.param("TÜKUPAY", "has a character", id="a letter that is not ASCII"),
        pytest.param("ТUKUPAY", "has a character", id="a Cyrillic letter that looks Latin"),
        pytest.param("١٢٣٤", "has a character", id="digits that are not ASCII"),
        pytest.param("TUKUPAY\n", "has a character", id="a line feed at the end"),
        pytest.param("123\n", "has a character", id="a line feed after a number"),
        pytest.param("TUKU\x00PAY", "has a character", id="a null"),
        pytest.param("++254712", "has a character", id="two pluses"),
        pytest.param("   ", "has no letter", id="spaces only"),
        pytest.param(" TUKUPAY", "begins or ends with a space", id="a space before the name"),
        pytest.param("TUKUPAY ", "begins or ends with a space", id="a space after the name"),
        pytest.param("12-34", "has no letter", id="a number with a hyphen"),
        pytest.param("+", "has a character", id="a plus alone"),
    ],
)
def test_a_sender_that_carriers_cannot_show_is_refused_with_what_would_be_right(sender_id: str, fault: str) -> None:
    problem = sender_id_problem(sender_id)

    assert problem is not None
    assert problem.startswith(f"the sender id {fault}")
    assert "use a name of 1 to 11" in problem
    assert "a number of 3 to 15 digits" in problem


@given(st.text(st.sampled_from(NAME_CHARACTERS), max_size=13) | st.text(max_size=13))
def test_a_name_is_fine_if_and_only_if_it_is_short_ascii_with_a_letter(value: str) -> None:
    has_letter = any(character in string.ascii_letters for character in value)
    in_alphabet = all(character in NAME_CHARACTERS for character in value)
    has_outer_space = value != value.strip(" ")

    if has_letter:
        assert (sender_id_problem(value) is None) == (in_alphabet and len(value) <= 11 and not has_outer_space)


@given(st.text(st.sampled_from(string.digits), max_size=18))
def test_a_number_is_fine_if_and_only_if_it_has_3_to_15_digits(digits: str) -> None:
    assert (sender_id_problem(digits) is None) == (3 <= len(digits) <= 15)


@given(st.text(st.sampled_from(string.digits), max_size=18))
def test_a_number_with_a_plus_is_fine_if_and_only_if_it_may_be_international(digits: str) -> None:
    assert (sender_id_problem("+" + digits) is None) == (7 <= len(digits) <= 15 and not digits.startswith("0"))
