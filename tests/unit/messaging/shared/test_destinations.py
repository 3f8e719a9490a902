"""To which countries messages may go."""

from __future__ import annotations

import pytest

from messaging_service.shared.numbering.destinations import HOME, destination_of, parse_destinations


@pytest.mark.parametrize(
    ("number", "destination"),
    [
        ("+254712345678", "KE"),
        ("+256712345678", "UG"),
        ("+14155550123", "US"),
        ("+16135550123", "CA"),
        ("+447400123456", "GB"),
        ("+447911123456", "GG"),
        ("+441534123456", "JE"),
        ("+8613800138000", "CN"),
        ("+881612345678", "+881"),
        ("+80012345678", "+800"),
        ("+99912345678", "an unknown country"),
    ],
)
def test_a_number_belongs_to_a_country_or_to_a_calling_code(number: str, destination: str) -> None:
    assert destination_of(number) == destination


def test_only_kenya_is_allowed_where_nothing_is_said() -> None:
    assert HOME("+254712345678") is None
    assert HOME("+14155550123") == "messages to US are not allowed here, only to KE"
    assert HOME("+881612345678") == "messages to +881 are not allowed here, only to KE"


def test_countries_that_share_a_calling_code_are_told_apart() -> None:
    allowed = parse_destinations("ke, CA")
    assert allowed("+16135550123") is None
    assert allowed("+14155550123") is not None
    assert parse_destinations("+1")("+14155550123") is None


def test_a_satellite_s_calling_code_can_be_named_and_everything_can_be() -> None:
    assert parse_destinations("KE,+881")("+881612345678") is None
    assert parse_destinations("*")("+8613800138000") is None


@pytest.mark.parametrize("text", ["Kenya", "254", "+999", "KE,,UG", "XX", "+25471"])
def test_a_destination_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither the ISO code|empty name"):
        parse_destinations(text)
