"""What every tier has now, kept in memory: prices are asked for often and change rarely.

Entries are dropped when the tier changes, which is noticed in two ways: own changes before their makers are
answered, those of other replicas by following the counter of changes. An entry serves only while that following is
recent, and only until the next row of its tier takes effect on the database's clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from pricing_service.domain.cost import Cost
from pricing_service.domain.edition import Edition
from pricing_service.domain.instants import micros_since_1970
from pricing_service.domain.tier import DIRECT_CUSTOMER, TUKUPAY, Level, Tier
from pricing_service.use_cases.cost_repository import Beat, CostRepository, InEffect

T = TypeVar("T")

_Entry: TypeAlias = tuple[T | None, int | None, int]

FORGET_ALL: Final = 25_000
"""More changes than this at once, a large import and then some, are not worth reading one by one."""
PAGE: Final = 500
"""Changes that are read before other calls have their turn."""


class PriceNow(NamedTuple, Generic[T]):
    """What prices a send now."""

    rendered: T | None
    """The row; None when no tier has one in effect."""
    resolved_at_us: int
    """Microseconds since 1970 on the database's clock, never ahead of it."""
    valid_until_us: int | None
    """Microseconds since 1970; None when no other row is known to take over."""
    edition: Edition | None
    """The price book that the answer is from; None while the tiers were read from different ones."""


class PriceBook(Generic[T]):
    """Holds the tiers that were asked for lately, each with its row in the form that is sent."""

    def __init__(
        self,
        costs: CostRepository,
        render: Callable[[Cost], T],
        *,
        capacity: int,
        staleness: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`capacity`: tiers held at most. `staleness`: how long entries serve after changes were last looked for."""
        self._costs = costs
        self._render = render
        # By tier: its row, None when it has none in effect, the instant at which another takes effect, and the
        # epoch at which it was read. Plain tuples of plain values, which the garbage collector has no reason to
        # look through.
        #
        # Two generations: what is not asked for while the young one fills up is forgotten with the old one.
        self._generation = max(1, capacity // 2)
        self._young: dict[str, _Entry[T]] = {}
        self._old: dict[str, _Entry[T]] = {}
        self._staleness_s = staleness.total_seconds()
        self._clock = clock
        self._fresh_until = float("-inf")
        self._clock_offset_us = 0.0
        # All entries are as of this state of the book, but for those read since.
        self._edition: Edition | None = None
        self._newest_change = -1
        self._caught_up_at = float("-inf")
        self._catching_up = asyncio.Lock()

    @property
    def is_half_full(self) -> bool:
        """Whether anything more that is learned begins to push out the oldest."""
        return len(self._young) + len(self._old) >= self._generation

    @property
    def size(self) -> int:
        """Tiers held."""
        return len(self._young) + len(self._old)

    @property
    def capacity(self) -> int:
        """Tiers that may be held."""
        return 2 * self._generation

    @property
    def epoch(self) -> int | None:
        """Changes of the price book that the entries reflect; None before the first look at the counter."""
        return None if self._edition is None else self._edition.epoch

    @property
    def age_s(self) -> float:
        """Seconds since the entries were last brought up to date; infinite before the first time."""
        return self._clock() - self._caught_up_at

    def price_now(self, customer_id: str, app_id: str | None) -> PriceNow[T] | None:
        """What prices a send of the customer through the app now; None when the book cannot tell."""
        since_start = self._clock()
        if since_start > self._fresh_until:
            return None
        now = int(self._clock_offset_us + since_start * 1e6)
        valid_until: int | None = None
        newest = 0
        for key in _keys(customer_id, app_id):
            entry = self._young.get(key) or self._promoted(key)
            if entry is None:
                return None
            rendered, changes_at, read_at = entry
            newest = max(newest, read_at)
            if changes_at is not None:
                if changes_at <= now:
                    return None
                if valid_until is None or changes_at < valid_until:
                    valid_until = changes_at
            if rendered is not None:
                return PriceNow(rendered, now, valid_until, self._edition_of(newest))
        return PriceNow(None, now, valid_until, None)

    def learn(self, found: InEffect) -> None:
        """Takes in what was read, unless a change was noticed meanwhile that it may not have seen."""
        if found.edition.epoch < self._newest_change:
            return
        for lookup, standing in found.standings.items():
            rendered = None if standing.cost is None else self._render(standing.cost)
            changes_at = None if standing.changes_at is None else micros_since_1970(standing.changes_at)
            self._keep(_key(lookup.tier), (rendered, changes_at, found.edition.epoch))

    def changed(self, edition: Edition, tiers: Sequence[Tier]) -> None:
        """Forgets these tiers, of which one changed with each of the changes up to this edition."""
        self._newest_change = max(self._newest_change, edition.epoch)
        # With no edition between them, everything that was noticed is as of this edition.
        if self._edition is not None and self._edition.epoch == edition.epoch - len(tiers):
            self._edition = edition
        for tier in tiers:
            key = _key(tier)
            self._young.pop(key, None)
            self._old.pop(key, None)

    async def catch_up(self, beat: Beat, asked_at: float, answered_at: float) -> None:
        """Forgets what changed up to a look at the counter, which lets the rest serve on.

        The times are those of the book's clock around the look.
        """
        async with self._catching_up:
            await self._follow(beat.edition, asked_at)
            self._caught_up_at = self._clock()
            if asked_at + self._staleness_s > self._fresh_until:
                self._fresh_until = asked_at + self._staleness_s
                # The clock was read before the answer came: counted from there, the estimate is never ahead of it.
                self._clock_offset_us = micros_since_1970(beat.now) - answered_at * 1e6

    async def _follow(self, edition: Edition, asked_at: float) -> None:
        epoch = edition.epoch
        position = self._edition.epoch if self._edition else None
        # A counter that fell is another database, for instance one from a backup; a late answer is not.
        fell = position is not None and epoch < position and asked_at > self._caught_up_at
        if position is None or fell or epoch - position > FORGET_ALL:
            self._young, self._old = {}, {}
            self._newest_change = epoch if fell else max(self._newest_change, epoch)
            self._edition = edition
            return
        while position < epoch:
            changes = await self._costs.changes_after(position, PAGE)
            if not changes:
                break
            position = changes[-1].epoch
            self.changed(Edition(position, changes[-1].at), [change.cost.tier for change in changes])
        if self._edition is None or self._edition.epoch < epoch:
            self._edition = edition

    def _edition_of(self, newest: int) -> Edition | None:
        """The state of the book for entries of which the newest was read at an epoch."""
        if self._edition is None or self._edition.epoch < newest:
            return None
        return self._edition

    def _promoted(self, key: str) -> _Entry[T] | None:
        entry = self._old.pop(key, None)
        if entry is not None:
            self._keep(key, entry)
        return entry

    def _keep(self, key: str, entry: _Entry[T]) -> None:
        if len(self._young) >= self._generation and key not in self._young:
            self._old = self._young
            self._young = {}
        self._old.pop(key, None)
        self._young[key] = entry


_LETTERS: Final = {
    Level.SPECIFIC_CUSTOMER: "C",
    Level.APP_OWNER: "A",
    Level.DIRECT_CUSTOMER: "D",
    Level.TUKUPAY: "T",
}


def _key(tier: Tier) -> str:
    return _LETTERS[tier.level] + tier.entity


_DEFAULTS: Final = (_key(DIRECT_CUSTOMER), _key(TUKUPAY))


def _keys(customer_id: str, app_id: str | None) -> tuple[str, ...]:
    # The tiers of `precedence.tiers_for`, without making them: this runs for every send.
    if app_id is None:
        return ("C" + customer_id, *_DEFAULTS)
    return ("C" + customer_id, "A" + app_id, *_DEFAULTS)
