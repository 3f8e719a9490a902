"""Numbers are whole for those who may read them, and masked in the middle for everybody else."""

from __future__ import annotations

import dataclasses

import pytest

from messaging_service.shared.domain.shown_numbers import HIDDEN, shown_number
from service_kit.access.principal import OPEN

READER = dataclasses.replace(OPEN, scopes=frozenset({"sms:read"}))
TRUSTED = dataclasses.replace(OPEN, scopes=frozenset({"sms:read", "pii:read"}))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+254712345678", "+2547•••••678"),
        ("+8613812345678", "+8613••••••678"),
        ("22141", "22•••"),
        ("+25471", "+25•••"),
        ("7", "•"),
        ("", ""),
        ("#9f0c", ""),
    ],
)
def test_the_middle_of_a_number_is_hidden(number: str, shown: str) -> None:
    masked = shown_number(number, READER)
    assert masked == shown
    assert masked.count(HIDDEN) >= min(3, len(masked))


def test_who_may_read_numbers_sees_them_whole_but_erased_ones() -> None:
    for viewer in (OPEN, TRUSTED):
        assert shown_number("+254712345678", viewer) == "+254712345678"
        assert shown_number("#9f0c", viewer) == ""
