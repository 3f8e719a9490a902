"""What a price from the copy says of itself, so that it can be derived again."""

from __future__ import annotations

import pytest

from messaging_service.prices.domain.book_clock import CLOCK_KNOWN_S
from messaging_service.prices.domain.price_copy import Answer
from tests.unit.messaging.prices.test_price_copy import JANE, NOON, Desk, price, seconds

KNOWN = NOON - seconds(3_600)


@pytest.fixture
def desk() -> Desk:
    """One whose watch has just opened, and that holds a price of noon."""
    made = Desk()
    made.copy.watch_opened(7)
    made.copy.learn(made.copy.asking(), JANE, Answer(price(), NOON, NOON + seconds(500), KNOWN))
    return made


def test_a_price_of_now_is_of_what_the_clock_of_the_book_shows(desk: Desk) -> None:
    desk.time += 1.5
    given = desk.given(JANE)
    assert (given.at, given.known_at) == (NOON + seconds(1.5), KNOWN)


def test_a_price_of_later_is_of_that_instant(desk: Desk) -> None:
    given = desk.given(JANE, NOON + seconds(100))
    assert (given.at, given.known_at) == (NOON + seconds(100), KNOWN)


def test_an_old_estimate_of_the_clock_gives_way_to_what_the_watch_tells(desk: Desk) -> None:
    desk.copy.learn(desk.copy.asking(), JANE, Answer(price(), NOON, None, KNOWN))
    # The clock of the book was set two seconds ahead meanwhile.
    for _ in range(int(CLOCK_KNOWN_S) + 1):
        desk.time += 1
        desk.beat(desk.now + seconds(2))
    desk.time += 0.25
    assert desk.given(JANE).at == desk.now + seconds(2)


def test_the_instant_never_leaves_the_time_for_which_the_answer_holds(desk: Desk) -> None:
    # A slow answer: by its question, the clock of the book would show what it does not yet.
    asking = desk.copy.asking()
    desk.time += 10
    held = Answer(price(), desk.now, desk.now + seconds(12), KNOWN)
    desk.copy.learn(asking, JANE, held)
    desk.time += 1
    given = desk.given(JANE)
    assert held.valid_until is not None
    assert held.resolved_at <= given.at < held.valid_until
    desk.beat(desk.now - seconds(300))
    desk.copy.learn(desk.copy.asking(), JANE, Answer(price(), desk.now, None, KNOWN))
    assert desk.given(JANE).at >= desk.now


def test_without_a_word_about_the_time_the_answer_s_own_instant_serves() -> None:
    desk = Desk()
    desk.copy.watch_opened(7)
    desk.copy.learn(desk.copy.asking(), JANE, Answer(price(), NOON, None))
    given = desk.given(JANE)
    assert (given.at, given.known_at) == (NOON, None)
