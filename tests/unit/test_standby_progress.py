"""How old an answer of a standby may be, and what a standby must have replayed to be read."""

from __future__ import annotations

import pytest

from service_kit.postgres.standby import BehindError, StandbyProgress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> StandbyProgress:
    return StandbyProgress(10.0, clock)


def see(progress: StandbyProgress, clock: Clock, written: int, replayed: int | None, after_s: float = 1.0) -> None:
    clock.now += after_s
    progress.primary_wrote(written, clock.now)
    progress.standby_replayed(replayed)


def test_a_standby_at_a_place_shows_what_was_committed_before_the_place_was_noted(
    progress: StandbyProgress, clock: Clock
) -> None:
    see(progress, clock, 1_000, 1_000)
    see(progress, clock, 2_000, 1_500)
    assert progress.staleness_s == 1.0
    assert progress.needed() == 1_000


def test_a_primary_at_rest_makes_nothing_old(progress: StandbyProgress, clock: Clock) -> None:
    for _ in range(60):
        see(progress, clock, 1_000, 1_000)
    assert progress.staleness_s == 0.0
    assert progress.needed() == 1_000


def test_a_standby_beyond_the_bound_is_not_read(progress: StandbyProgress, clock: Clock) -> None:
    see(progress, clock, 1_000, 1_000)
    for written in range(2_000, 13_000, 1_000):
        see(progress, clock, written, 1_000)
    assert progress.staleness_s == 11.0
    with pytest.raises(BehindError):
        progress.needed()


def test_a_primary_that_cannot_be_asked_makes_everything_older(progress: StandbyProgress, clock: Clock) -> None:
    see(progress, clock, 1_000, 1_000)
    clock.now += 9.5
    assert progress.needed() == 1_000
    clock.now += 1.0
    with pytest.raises(BehindError):
        progress.needed()


def test_nothing_is_read_before_anything_is_known_and_while_it_is_away(progress: StandbyProgress, clock: Clock) -> None:
    with pytest.raises(BehindError):
        progress.needed()
    see(progress, clock, 1_000, 1_000)
    see(progress, clock, 1_000, None)
    assert progress.staleness_s is None
    with pytest.raises(BehindError):
        progress.needed()


def test_places_of_a_primary_that_lost_its_log_are_forgotten(progress: StandbyProgress, clock: Clock) -> None:
    see(progress, clock, 5_000, 5_000)
    see(progress, clock, 4_000, 3_000)
    assert progress.staleness_s is None
