"""The period of a command: two instants, or a month of Nairobi."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from sms_cli.shared.periods import period_of

OCTOBER = (datetime(2026, 9, 30, 21, tzinfo=UTC), datetime(2026, 10, 31, 21, tzinfo=UTC))


def test_a_month_is_the_two_instants_that_it_lies_between() -> None:
    assert period_of(None, None, "2026-10") == OCTOBER
    assert period_of("2026-10-01T00:00:00+03:00", "2026-11-01T00:00:00+03:00", None) == OCTOBER


@pytest.mark.parametrize(
    ("given", "option", "words"),
    [
        ((None, None, None), "--from", "--period 2026-10"),
        (("2026-10-01T00:00:00Z", None, None), "--to", "--period 2026-10"),
        (("2026-10-01T00:00:00Z", None, "2026-10"), "--period", "give a month, or --from and --to"),
        ((None, None, "October"), "--period", "is not a month such as 2026-10"),
        (("2026-10-01", "2026-11-01T00:00:00Z", None), "--from", "has no offset from UTC"),
    ],
)
def test_what_says_no_period_is_refused_with_a_remedy(
    given: tuple[str | None, str | None, str | None], option: str, words: str
) -> None:
    with pytest.raises(typer.BadParameter, match=words) as caught:
        period_of(*given)
    assert caught.value.param_hint == option
