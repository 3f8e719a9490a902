"""Reading the price book for many callers at once, with one statement for all that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.tier import Tier
from pricing_service.use_cases.cost_repository import CostRepository, InEffect, Lookup
from service_kit.errors import Kind, ServiceError
from service_kit.request_id import for_nobody

MAX_READS: Final = 2
"""Statements under way at once; the second keeps callers going while the first is slow."""
MAX_WAITING: Final = 5_000
"""Tiers that wait for a statement; callers beyond them are turned away."""


class _Group:
    def __init__(self) -> None:
        self.tiers: dict[Tier, None] = {}
        self.found: asyncio.Future[InEffect] = asyncio.get_running_loop().create_future()


class GroupedReads:
    """Asks what tiers have now; callers that come while it asks share the next statement."""

    def __init__(self, costs: CostRepository, patience: timedelta, learn: Callable[[InEffect], None]) -> None:
        """`patience`: how long a statement may take. `learn` gets what was found before the callers do."""
        self._costs = costs
        self._patience_s = patience.total_seconds()
        self._learn = learn
        self._forming: _Group | None = None
        self._readers: set[asyncio.Task[None]] = set()

    async def read(self, tiers: Sequence[Tier]) -> InEffect:
        """What these tiers, and perhaps others, have now, read after this call.

        Raises ServiceError OVERLOADED when too many wait, and what the repository raises.
        """
        group = self._forming
        if group is None:
            group = self._forming = _Group()
        elif len(group.tiers) >= MAX_WAITING:
            raise _overloaded()
        group.tiers.update(dict.fromkeys(tiers))
        if len(self._readers) < MAX_READS:
            self._start()
        # A caller that leaves takes nobody with it.
        return await asyncio.shield(group.found)

    def _start(self) -> None:
        reader = asyncio.get_running_loop().create_task(self._run(), context=for_nobody())
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _run(self) -> None:
        while (group := self._forming) is not None:
            self._forming = None
            await self._answer(group)

    async def _answer(self, group: _Group) -> None:
        question = asyncio.ensure_future(self._costs.in_effect([Lookup(tier, None) for tier in group.tiers]))
        try:
            # Not a time-out on the question itself: cancelling a query to a silent server takes seconds.
            await asyncio.wait({question}, timeout=self._patience_s)
            if question.done():
                self._learn(question.result())
                group.found.set_result(question.result())
            else:
                group.found.set_exception(_silent())
        except Exception as failure:  # noqa: BLE001 - raised again by every caller of the group
            group.found.set_exception(failure)
        finally:
            question.cancel()
            # All of its callers may have left, and nobody else looks at a failure.
            if group.found.done() and not group.found.cancelled():
                group.found.exception()


def _overloaded() -> ServiceError:
    return ServiceError(
        Kind.OVERLOADED,
        reasons.OVERLOADED,
        "too many questions wait for the database; try again shortly",
        retry_after=timedelta(seconds=1),
    )


def _silent() -> ServiceError:
    return ServiceError(
        Kind.UNAVAILABLE,
        reasons.DATABASE_UNAVAILABLE,
        "the database does not answer; try again shortly",
        retry_after=timedelta(seconds=1),
    )
