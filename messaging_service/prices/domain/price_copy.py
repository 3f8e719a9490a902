"""What messaging remembers of the price book, and when it may be used.

An answer of the price book is right from the instant that it was given for until the next row takes effect
(`valid_until`), unless the book changes. Changes are received by a watch; while it lives the copy is as good as
the book. Everything here is called when something happens, on a clock that is injected, and asks nobody.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from messaging_service.prices.domain.book_clock import BookClock
from messaging_service.shared.domain.money import Price, PriceLevel, SendPrice

Key = tuple[str, str | None]
"""Customer, and app if the send comes through one."""

_LEVELS: Final = {level.value: level for level in PriceLevel}

MAX_CHANGED: Final = 50_000
"""Customers and apps remembered as changed; with more than that it is cheaper to forget all answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A price as the book gave it."""

    price: Price
    resolved_at: datetime
    """The instant it was given for, on the book's clock, UTC."""
    valid_until: datetime | None
    """The first instant at which another row prices the send; None when no such row is known."""
    known_at: datetime | None = None
    """When the newest change that the book had was recorded, on its clock; None when it did not say."""


class Change(NamedTuple):
    """A row that was recorded or withdrawn."""

    level: PriceLevel
    entity: str | None
    """The customer or the app; None for the defaults."""


_Held = tuple[int, Decimal, str, str, datetime, datetime | None, datetime | None]
"""Generation of the question, KES, row, level, `resolved_at`, `valid_until` and `known_at`.

A plain tuple of plain values: the garbage collector does not look at those, and hundreds of thousands of objects
to look at would stop all sends for a tenth of a second now and then.
"""


class Asking(NamedTuple):
    """When a question went out."""

    at: float
    """On the copy's clock."""
    generation: int
    """What was known of changes then."""


@dataclass(slots=True)
class Tally:
    """Counts since the start."""

    hits: int = 0
    """Prices given while the copy was fresh."""
    stale: int = 0
    """Prices given after the watch broke, within the bound."""
    misses: int = 0
    """Questions without a usable answer in the copy."""
    outdated: int = 0
    """Questions whose answer was too stale to be used."""
    calls: int = 0
    """Calls to the book."""
    failures: int = 0
    """Calls that it did not answer."""
    refused: int = 0
    """Questions that were refused, as the book did not answer; their sends fail, and nothing is held."""
    changes: int = 0
    """Rows that the watch received."""
    resets: int = 0
    """How often all answers were forgotten."""
    breaks: int = 0
    """How often the watch ended."""


class PriceCopy:
    """Answers of the price book by customer and app, the least recently used forgotten first.

    An answer carries the generation in which its question went out. A change raises the generation and marks
    what it touches, so that older answers to it no longer count: those held as well as those still under way.
    """

    def __init__(self, *, capacity: int, silence_s: float, stale_s: float, clock: Callable[[], float]) -> None:
        """`capacity`: answers held; 0 holds none. The clock is monotonic, in seconds.

        A watch that says nothing for `silence_s` counts as broken. After its last word answers serve for
        `stale_s`; with 0 they never outlive the watch.
        """
        self._capacity = capacity
        self._silence_s = silence_s
        self._stale_s = stale_s
        self._clock = clock
        self._answers: OrderedDict[Key, _Held] = OrderedDict()
        self._generation = 0
        self._valid_from = 0
        self._changed_customers: dict[str, int] = {}
        self._changed_apps: dict[str, int] = {}
        self._epoch: int | None = None
        self._watched = False
        self._last_word = -math.inf
        self._book_clock = BookClock()
        self.tally = Tally()

    def __len__(self) -> int:
        """Answers held, those included that changes have made useless."""
        return len(self._answers)

    @property
    def epoch(self) -> int | None:
        """The state of the book that the copy reflects; None before the first watch."""
        return self._epoch

    @property
    def age_s(self) -> float:
        """Seconds since the last word of the watch; infinite before the first."""
        return self._clock() - self._last_word

    @property
    def stale_s(self) -> float:
        """How long answers serve after the last word of a watch that broke."""
        return self._stale_s

    @property
    def is_watched(self) -> bool:
        """Whether a watch is open, be it silent."""
        return self._watched

    @property
    def is_fresh(self) -> bool:
        """Whether changes would have been received."""
        return self._watched and self.age_s <= self._silence_s

    # What the watch receives.

    def watch_opened(self, epoch: int, now: datetime | None = None) -> None:
        """The first word of a watch. Another epoch than the last one seen means that changes were missed.

        `now` is what the book's clock showed a moment ago; None when the watch does not tell the time.
        """
        if epoch != self._epoch:
            self.forget()
            self._epoch = epoch
        self._watched = True
        self._hear(now)

    def watch_told(self, epoch: int, changes: Sequence[Change], now: datetime | None = None) -> None:
        """A heartbeat, or changes."""
        if self._epoch is None or epoch != self._epoch + len(changes):
            self.forget()
        else:
            self._take_in(changes)
        self.tally.changes += len(changes)
        self._epoch = epoch
        self._hear(now)

    def _hear(self, now: datetime | None) -> None:
        self._last_word = self._clock()
        if now is not None:
            self._book_clock.told(now, self._last_word)

    def watch_broke(self) -> None:
        """The watch ended: from now on changes may be missed."""
        if self._watched:
            self._watched = False
            self.tally.breaks += 1

    def forget(self) -> None:
        """Drops every answer, also those still under way."""
        self._generation += 1
        self._valid_from = self._generation
        self._answers.clear()
        self._changed_customers.clear()
        self._changed_apps.clear()
        self.tally.resets += 1

    def _take_in(self, changes: Iterable[Change]) -> None:
        for level, entity in changes:
            self._generation += 1
            if level is PriceLevel.SPECIFIC_CUSTOMER and entity is not None:
                self._changed_customers[entity] = self._generation
            elif level is PriceLevel.APP_OWNER and entity is not None:
                self._changed_apps[entity] = self._generation
            else:
                # Whom a default prices is not on record here.
                self.forget()
        if len(self._changed_customers) + len(self._changed_apps) > MAX_CHANGED:
            self.forget()

    # Questions and answers.

    def asking(self) -> Asking:
        """To be called before a question goes out, and given back with its answer."""
        return Asking(self._clock(), self._generation)

    def learn(self, asking: Asking, key: Key, answer: Answer) -> None:
        """Takes in an answer to what the price is now, unless the book has changed since the question."""
        self.learn_clock(asking, answer)
        if self._epoch is None or asking.generation < self._changed_in(key) or not self._capacity:
            return
        price = answer.price
        self._answers[key] = (
            asking.generation,
            price.unit_price,
            price.cost_id,
            price.level.value,
            answer.resolved_at,
            answer.valid_until,
            answer.known_at,
        )
        self._answers.move_to_end(key)
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    def learn_clock(self, asking: Asking, answer: Answer) -> None:
        """Takes from an answer to what the price is now only the time."""
        self._book_clock.answered(answer.resolved_at, asking.at)

    def price_of(self, key: Key, at: datetime | None) -> SendPrice | None:
        """The price at an instant, or now when it is None; None when the book has to be asked."""
        held = self._held(key)
        if held is None:
            self.tally.misses += 1
            return None
        now = self._clock()
        age_s = now - self._last_word
        fresh = self._watched and age_s <= self._silence_s
        if not fresh and age_s >= self._stale_s:
            self.tally.outdated += 1
            return None
        _, unit_price, cost_id, level, resolved_at, valid_until, known_at = held
        if at is None:
            holds = valid_until is None or self._book_clock.is_before(now, valid_until, fresh=fresh)
        else:
            holds = resolved_at <= at and (valid_until is None or at < valid_until)
        if not holds:
            self.tally.misses += 1
            return None
        self._answers.move_to_end(key)
        if fresh:
            self.tally.hits += 1
        else:
            self.tally.stale += 1
        price = Price(unit_price, cost_id, _LEVELS[level])
        # Surely an instant for which the answer holds.
        return SendPrice(price, at or self._book_clock.within(now, resolved_at, valid_until), known_at)

    def answer(self, key: Key) -> Answer | None:
        """The answer held, if no change that was received has touched it; however old it is."""
        held = self._held(key)
        if held is None:
            return None
        _, unit_price, cost_id, level, resolved_at, valid_until, known_at = held
        return Answer(Price(unit_price, cost_id, _LEVELS[level]), resolved_at, valid_until, known_at)

    def keys(self) -> list[Key]:
        """What `answer` may have an answer to."""
        return list(self._answers)

    def _held(self, key: Key) -> _Held | None:
        held = self._answers.get(key)
        return None if held is None or held[0] < self._changed_in(key) else held

    def _changed_in(self, key: Key) -> int:
        """The generation in which the answer to a question last changed."""
        customer_id, app_id = key
        changed = max(self._valid_from, self._changed_customers.get(customer_id, 0))
        return changed if app_id is None else max(changed, self._changed_apps.get(app_id, 0))
