"""What each price that was tried out did to the traffic: what it priced, and what applied in its place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from messaging_service.prices.domain.book_prices import BookPrice, BookQuestion, DraftPrice, Tier
from messaging_service.reports.domain.cost_rehearsal import DraftEffect, Superseder, Traffic

DRAFT_PREFIX = "draft_"
"""A price that comes from a draft has this and the draft's position as its cost id."""


class DraftEffects:
    """Collects what drafts did while traffic is priced."""

    def __init__(self, drafts: Sequence[DraftPrice]) -> None:
        self._drafts = drafts
        self._messages = [0] * len(drafts)
        self._units = [0] * len(drafts)
        self._new = [Decimal(0)] * len(drafts)
        self._rivals: list[dict[Superseder, int]] = [{} for _ in drafts]
        self._of_tier: dict[Tier, list[tuple[datetime, int]]] = defaultdict(list)
        self._begun: dict[Tier, int] = {}
        """How many drafts of a tier some traffic could have met."""
        for place, draft in enumerate(drafts):
            self._of_tier[draft.tier].append((draft.effective_from, place))
        for standing in self._of_tier.values():
            standing.sort()

    def add(self, traffic: Traffic, price: BookPrice | None, until: datetime | None) -> None:
        """Takes in traffic that has one price; `until` is the first instant after it, None for that of its last."""
        if traffic.messages == 0:
            return
        won = None if price is None else self._won(price)
        if won is not None and price is not None:
            self._messages[won] += traffic.messages
            self._units[won] += traffic.units
            self._new[won] += price.price.total(traffic.units)
        for tier in BookQuestion(traffic.account_id, traffic.app_id, traffic.first, traffic.last).tiers():
            standing = self._of_tier.get(tier)
            if standing is None:
                continue
            if until is None:
                begun = bisect_right(standing, (traffic.last, len(self._drafts)))
            else:
                begun = bisect_left(standing, (until, -1))
            if not begun:
                continue
            self._begun[tier] = max(self._begun.get(tier, 0), begun)
            place = standing[begun - 1][1]
            if place != won and price is not None:
                rival = Superseder(price.price.cost_id, price.price.level, price.effective_from)
                rivals = self._rivals[place]
                rivals[rival] = rivals.get(rival, 0) + traffic.messages

    def each(self) -> list[DraftEffect]:
        """The effects in the order of the drafts."""
        return [
            DraftEffect(self._messages[place], self._units[place], self._new[place], self._superseder(place))
            for place in range(len(self._drafts))
        ]

    def _won(self, price: BookPrice) -> int | None:
        cost_id = price.price.cost_id
        return int(cost_id.removeprefix(DRAFT_PREFIX)) if cost_id.startswith(DRAFT_PREFIX) else None

    def _superseder(self, place: int) -> Superseder | None:
        if rivals := self._rivals[place]:
            return max(rivals, key=lambda rival: (rivals[rival], rival.cost_id))
        draft = self._drafts[place]
        standing = self._of_tier[draft.tier]
        following = standing.index((draft.effective_from, place)) + 1
        # A later draft of the tier hides it where it has begun, so that it meets no price of the book.
        if self._messages[place] or following >= self._begun.get(draft.tier, 0):
            return None
        instant, other = standing[following]
        return Superseder(f"{DRAFT_PREFIX}{other}", draft.level, instant)
