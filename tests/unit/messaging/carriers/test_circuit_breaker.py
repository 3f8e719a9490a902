"""When a carrier is left alone, and how it comes back."""

from __future__ import annotations

from messaging_service.carriers.domain.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker

SETTINGS = BreakerSettings(outcomes=4, failures=3, open_s=5, longest_open_s=15)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def broken() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker(SETTINGS, clock)
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    return breaker, clock


def test_it_opens_when_enough_of_the_latest_outcomes_failed() -> None:
    breaker, _ = broken()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.allows
    assert breaker.opens_in_s == 5


def test_old_failures_are_forgotten_for_newer_successes() -> None:
    breaker = CircuitBreaker(SETTINGS, Clock())
    for _ in range(20):
        assert not breaker.failed()
        assert not breaker.failed()
        breaker.succeeded()
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_after_its_time_one_message_at_a_time_goes_through() -> None:
    breaker, clock = broken()
    clock.now += 4.9
    allowed = [breaker.allows]
    clock.now += 0.1
    allowed.append(breaker.allows)
    breaker.reserved()
    allowed.append(breaker.allows)
    breaker.given_back()
    allowed.append(breaker.allows)
    assert allowed == [False, True, False, True]
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_success_while_half_open_closes_it() -> None:
    breaker, clock = broken()
    clock.now += 5
    breaker.reserved()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    assert breaker.opens_in_s == 5


def test_each_failure_while_half_open_doubles_the_time_up_to_the_longest() -> None:
    breaker, clock = broken()
    times = []
    for _ in range(4):
        clock.now += breaker.opens_in_s or 0
        breaker.reserved()
        assert breaker.failed()
        times.append(breaker.opens_in_s)
    assert times == [10, 15, 15, 15]


def test_outcomes_of_messages_that_were_under_way_change_nothing_while_it_is_open() -> None:
    breaker, clock = broken()
    breaker.succeeded()
    assert not breaker.failed()
    clock.now += 4.9
    assert breaker.state is BreakerState.OPEN


def test_a_new_connection_starts_without_a_past() -> None:
    breaker, _ = broken()
    breaker.reset()
    assert breaker.allows
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    assert breaker.opens_in_s == 5
