"""Ids of messages: valid, unique, sorted by time, and with room for a cell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest

from messaging_service.shared.domain.outbox_ids import OutboxIds, cell_of, instant_of, lowest_id

NOW = datetime(2026, 12, 1, 17, 30, 0, 123_000, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9 + 123_000_000


def at(nanoseconds: list[int], cell: int = 0) -> OutboxIds:
    return OutboxIds(cell, clock_ns=lambda: nanoseconds[-1])


@pytest.mark.parametrize("cell", [0, 1, 1023])
def test_an_id_is_a_uuid_of_version_7_that_names_its_time_and_its_cell(cell: int) -> None:
    made = at([NOW_NS], cell)()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert instant_of(made) == NOW
    assert cell_of(made) == cell


def test_ids_rise_and_differ_though_the_clock_stands_still_or_is_set_back_a_little() -> None:
    clock = [NOW_NS]
    new_id = at(clock)
    made = [new_id() for _ in range(10_000)]
    clock.append(NOW_NS - 5 * 10**9)
    made += [new_id() for _ in range(100)]
    assert made == sorted(set(made))


def test_ids_follow_a_clock_that_is_put_right_by_far() -> None:
    clock = [NOW_NS + 365 * 86_400 * 10**9]
    new_id = at(clock)
    new_id()
    clock.append(NOW_NS)
    assert instant_of(new_id()) == NOW


def test_processes_that_make_ids_at_the_same_moment_make_different_ones() -> None:
    made = {at([NOW_NS])() for _ in range(1_000)}
    assert len(made) == 1_000


def test_the_lowest_id_of_an_instant_parts_what_was_made_before_from_what_comes_after() -> None:
    border = lowest_id(NOW)
    assert at([NOW_NS - 1])() < border <= at([NOW_NS])()
    assert instant_of(border) == NOW
    assert lowest_id(NOW + timedelta(milliseconds=1)) > border


def test_a_cell_that_has_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1023"):
        OutboxIds(1024)
