"""A bind slows down when the carrier asks, and comes back."""

from __future__ import annotations

from collections.abc import Callable

from messaging_service.carriers.template.throttle import FIRST_PAUSE_S, LONGEST_PAUSE_S, Throttle


class Timers:
    """Collects what is scheduled, to be run by hand."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._call: Callable[[], None] | None = None
        self.cancelled = False

    def call_later(self, delay: float, call: Callable[[], None]) -> Timers:
        self.delays.append(delay)
        self._call = call
        return self

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        assert self._call is not None
        self._call()


def throttle_of(window: int) -> tuple[Throttle, Timers, list[str]]:
    timers, resumed = Timers(), list[str]()
    return Throttle(window, timers.call_later, lambda: resumed.append("resumed")), timers, resumed


def test_a_throttled_bind_pauses_and_goes_on_with_half_its_window() -> None:
    throttle, timers, resumed = throttle_of(10)
    assert throttle.allowance == 10
    assert throttle.throttled()
    assert throttle.allowance == 0
    timers.run()
    assert throttle.allowance == 5
    assert resumed == ["resumed"]


def test_answers_to_submits_from_before_the_pause_do_not_slow_it_twice() -> None:
    throttle, timers, _ = throttle_of(10)
    throttle.throttled()
    assert not throttle.throttled()
    throttle.taken()
    assert throttle.allowance == 0
    timers.run()
    assert throttle.allowance == 5
    assert timers.delays == [FIRST_PAUSE_S]


def test_the_whole_window_comes_back_when_submits_are_taken() -> None:
    throttle, timers, _ = throttle_of(10)
    throttle.throttled()
    timers.run()
    taken = 0
    while throttle.allowance < 10:
        throttle.taken()
        taken += 1
        assert taken < 100
    # One place for each full round: about 5 + 6 + 7 + 8 + 9 submits.
    assert 30 <= taken <= 45


def test_pauses_double_up_to_a_bound_while_nothing_is_taken() -> None:
    throttle, timers, _ = throttle_of(2)
    for _ in range(10):
        throttle.throttled()
        timers.run()
    assert timers.delays[:3] == [0.1, 0.2, 0.4]
    assert timers.delays[-1] == LONGEST_PAUSE_S
    assert throttle.allowance == 1
    throttle.taken()
    throttle.throttled()
    assert timers.delays[-1] == FIRST_PAUSE_S


def test_a_window_of_one_stays_one() -> None:
    throttle, timers, _ = throttle_of(1)
    throttle.throttled()
    timers.run()
    assert throttle.allowance == 1


def test_a_lost_bind_forgets_its_pause() -> None:
    throttle, timers, _ = throttle_of(4)
    throttle.throttled()
    throttle.stop()
    assert timers.cancelled


def test_the_first_and_the_longest_pause_can_be_chosen() -> None:
    timers = Timers()
    throttle = Throttle(2, timers.call_later, lambda: None, first_pause_s=1.0, longest_pause_s=3.0)
    for _ in range(4):
        throttle.throttled()
        timers.run()
    throttle.taken()
    throttle.throttled()
    assert timers.delays == [1.0, 2.0, 3.0, 3.0, 1.0]
