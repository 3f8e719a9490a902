"""When a block of numbers looks pumped."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.abuse.domain.number_blocks import (
    IN_A_BLOCK,
    WINDOWS_IN_USUAL,
    BlockTraffic,
    Verdict,
    block_of,
    is_watched,
    place_of,
)
from messaging_service.abuse.domain.recipient_windows import KEPT_US, WINDOW_US
from messaging_service.accounts.domain.account_limits import AccountLimits, PumpingGuard

NOW = 1_790_000_000_000_000


def traffic(places: Iterable[int], *, usual: int = 0) -> BlockTraffic:
    """A block whose numbers at these places were asked for now; `usual`: messages in 10 minutes."""
    return BlockTraffic(dict.fromkeys(places, NOW), sent_in_week=usual * WINDOWS_IN_USUAL)


def test_a_block_is_a_number_without_its_last_3_digits() -> None:
    assert (block_of("+254712345678"), place_of("+254712345678")) == ("+254712345", 678)


@pytest.mark.parametrize(
    ("places", "usual", "expected"),
    [
        (range(0, 18, 2), 0, Verdict.USUAL),  # 9 numbers
        (range(0, 20, 2), 0, Verdict.SUSPECTED),  # 10
        (range(0, 58, 2), 0, Verdict.SUSPECTED),  # 29
        (range(0, 60, 2), 0, Verdict.PUMPED),  # 30
        (range(7), 0, Verdict.USUAL),
        (range(8), 0, Verdict.PUMPED),  # a run
        ([*range(7), *range(8, 15)], 0, Verdict.SUSPECTED),  # two runs of 7
        (range(0, 60, 2), 3, Verdict.USUAL),  # 30 are 10 times what is usual, and not more
        (range(0, 62, 2), 3, Verdict.PUMPED),
        (range(100), 10, Verdict.USUAL),
    ],
)
def test_numbers_are_judged_by_how_many_they_are_how_they_follow_and_what_is_usual(
    places: Iterable[int], usual: int, expected: Verdict
) -> None:
    assert traffic(places, usual=usual).verdict() is expected


def test_a_phone_that_asks_again_counts_once() -> None:
    block = BlockTraffic()
    for _ in range(100):
        block.note("+254712345678", NOW)
    assert (block.numbers, block.verdict()) == (1, Verdict.USUAL)


@given(st.dictionaries(st.integers(0, 999), st.integers(NOW - 2 * WINDOW_US, NOW), max_size=50))
def test_what_is_kept_is_read_again_without_what_is_over(seen: dict[int, int]) -> None:
    codes = {place: [at - 1, at] for place, at in seen.items()}
    before = BlockTraffic(seen, codes)
    again = BlockTraffic.read(before.packed_seen(), before.packed_codes(), NOW)
    assert again.seen_us == {place: at for place, at in seen.items() if at > NOW - WINDOW_US}
    # A transaction that began earlier may still count those of the last minute before the window.
    counted = {place: [at for at in sent if at > NOW - KEPT_US] for place, sent in codes.items()}
    assert again.codes_us == {place: sent for place, sent in counted.items() if sent}


@given(st.sets(st.integers(0, IN_A_BLOCK - 1)))
def test_the_longest_run_is_that_of_a_search_by_hand(places: set[int]) -> None:
    longest = max((length for length in range(1_001) for start in places if _follow(places, start, length)), default=0)
    assert traffic(places).longest_run == longest


def _follow(places: set[int], start: int, length: int) -> bool:
    return length <= len(places) and all(start + step in places for step in range(length))


@pytest.mark.parametrize(
    ("guard", "of_codes", "of_others"),
    [
        (None, True, False),
        (PumpingGuard.OFF, False, False),
        (PumpingGuard.ALERT, True, True),
        (PumpingGuard.BLOCK, True, True),
    ],
)
def test_codes_are_watched_unless_the_account_says_otherwise(
    guard: PumpingGuard | None, of_codes: bool, of_others: bool
) -> None:
    limits = AccountLimits(pumping=guard)
    assert (is_watched(limits, is_otp=True), is_watched(limits, is_otp=False)) == (of_codes, of_others)
