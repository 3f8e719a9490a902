"""How many items a flush may have, by how long flushes take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.shared.flush_size import FlushSize

FLOOR, CEILING, TARGET_S = 32, 256, 0.050


def sized() -> FlushSize:
    return FlushSize(FLOOR, CEILING, TARGET_S)


def saturate(size: FlushSize, cost_s: Callable[[int], float], flushes: int = 200) -> list[int]:
    """Flushes as much as is allowed each time, as under a load that never ends; the sizes."""
    sizes = []
    for _ in range(flushes):
        sizes.append(size.limit)
        size.flushed(size.limit, cost_s(size.limit))
    return sizes


def test_it_begins_with_as_many_as_there_may_be() -> None:
    assert sized().limit == CEILING


def test_quick_flushes_stay_as_large_as_they_may_be() -> None:
    assert set(saturate(sized(), lambda items: items * 0.0001)) == {CEILING}


def test_a_slow_flush_halves_the_next_one() -> None:
    size = sized()
    size.flushed(256, 0.060)
    assert size.limit == 128
    size.flushed(128, 0.060)
    assert size.limit == 64
    size.flushed(64, 0.060)
    assert size.limit == FLOOR


def test_where_even_the_floor_is_too_slow_a_flush_takes_no_more_than_half_as_long_again() -> None:
    """Two milliseconds an item: a flush of the floor takes 64, and the largest of all 96."""
    sizes = saturate(sized(), lambda items: items * 0.002)[10:]
    assert min(sizes) == FLOOR
    assert max(sizes) <= FLOOR * 1.5 + 16


def test_a_slow_flush_that_was_not_full_halves_what_it_had() -> None:
    size = sized()
    size.flushed(100, 0.060)
    assert size.limit == 50


def test_only_full_flushes_make_the_next_one_larger_step_by_step() -> None:
    size = sized()
    size.flushed(256, 0.060)
    size.flushed(127, 0.010)
    assert size.limit == 128
    size.flushed(128, 0.010)
    assert size.limit == 144
    for _ in range(20):
        size.flushed(size.limit, 0.010)
    assert size.limit == CEILING


def test_under_load_it_keeps_near_the_target() -> None:
    """Half a millisecond an item: a hundred items take as long as a flush should."""
    sizes = saturate(sized(), lambda items: items * 0.0005)[20:]
    assert max(sizes) <= 100 + 16
    assert min(sizes) >= 50
    assert 70 <= sum(sizes) / len(sizes) <= 100


def test_what_slows_down_and_recovers_is_followed() -> None:
    size = sized()
    saturate(size, lambda items: items * 0.0005)
    assert size.limit < 128
    assert saturate(size, lambda items: items * 0.0001)[-1] == CEILING


def test_a_commit_that_is_slow_by_itself_is_no_reason_for_small_flushes() -> None:
    """A database that takes 80 ms for any commit would take as long for each of eight times as many."""
    sizes = saturate(sized(), lambda items: 0.080 + items * 0.00001)
    assert sizes[-1] == CEILING
    assert sum(size == CEILING for size in sizes) > 150


def test_a_slow_flush_of_few_is_not_blamed_on_its_size() -> None:
    size = sized()
    size.flushed(1, 5.0)
    assert size.limit == CEILING


def test_a_fixed_size_stays() -> None:
    size = FlushSize(100, 100, TARGET_S)
    size.flushed(100, 60.0)
    assert size.limit == 100


@pytest.mark.parametrize(("floor", "ceiling"), [(0, 10), (11, 10)])
def test_bounds_that_make_no_sense_are_refused(floor: int, ceiling: int) -> None:
    with pytest.raises(ValueError, match="flush"):
        FlushSize(floor, ceiling, TARGET_S)


@given(st.lists(st.tuples(st.integers(1, CEILING), st.floats(0, 100))))
def test_it_never_leaves_its_bounds(flushes: list[tuple[int, float]]) -> None:
    size = sized()
    for items, took_s in flushes:
        size.flushed(items, took_s)
        assert FLOOR <= size.limit <= CEILING
