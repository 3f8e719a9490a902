"""Amounts keep their exact value on the way in and out."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_http.shared.rest_money import micros, number
from service_kit.errors import Violation

INT64 = 2**63 - 1


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (600_000, "0.6"),
        (800_000, "0.8"),
        (1_000_000, "1.0"),
        (0, "0.0"),
        (1, "0.000001"),
        (1_050_000, "1.05"),
        (12_345_678_901_234, "12345678.901234"),
        (-400_000, "-0.4"),
        (-1_000_001, "-1.000001"),
    ],
)
def test_an_amount_is_the_shortest_exact_decimal_with_one_place_at_least(amount: int, text: str) -> None:
    assert bytes(number(amount)) == text.encode()


@settings(deadline=None)
@given(st.integers(-INT64, INT64))
def test_a_rendered_amount_is_exactly_the_micros(amount: int) -> None:
    text = bytes(number(amount)).decode()
    assert Decimal(text) * 1_000_000 == amount
    assert json.loads(text) == pytest.approx(amount / 1_000_000)


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18))
def test_an_amount_that_was_rendered_is_read_back(amount: int) -> None:
    assert micros(bytes(number(amount)), "pricePerSms") == amount


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=1_000_000, places=6))
def test_a_price_of_up_to_six_decimals_is_read_digit_by_digit(price: Decimal) -> None:
    body = f'{{"p": {price}}}'.encode()
    raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["p"]
    assert micros(bytes(raw), "pricePerSms") == int(price * 1_000_000)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.7", 700_000),
        ("7e-1", 700_000),
        ("0.7000000000", 700_000),
        ("1E+2", 100_000_000),
        ("-0", 0),
        ("-0.5", -500_000),
        ("0e999999", 0),
        ("0.000001", 1),
        ("1e12", 10**18),
    ],
)
def test_every_spelling_of_a_number_is_read(text: str, amount: int) -> None:
    assert micros(text.encode(), "pricePerSms") == amount


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('"0.7"', "WRONG_TYPE"),
        ("true", "WRONG_TYPE"),
        ("null", "REQUIRED"),
        ("[0.7]", "WRONG_TYPE"),
        ('{"kes": 0.7}', "WRONG_TYPE"),
        ("1e-7", "TOO_PRECISE"),
        ("1e-999999999", "TOO_PRECISE"),
        ("999999999999.00000000000000000000000000000000001", "TOO_PRECISE"),
        ("0.60000000000000000000000000000000000001", "TOO_PRECISE"),
        ("1e400", "OUT_OF_RANGE"),
        ("1e999999999", "OUT_OF_RANGE"),
        ("-1e400", "OUT_OF_RANGE"),
        ("1e99999999999999999999999", "OUT_OF_RANGE"),
        ("1000000000001", "OUT_OF_RANGE"),
    ],
)
def test_what_is_no_exact_price_is_refused_with_the_remedy(text: str, reason: str) -> None:
    refused = micros(text.encode(), "pricePerSms")
    assert isinstance(refused, Violation)
    assert (refused.field, refused.reason) == ("pricePerSms", reason)
    assert ";" in refused.description
