"""Any interleaving of changes, questions, cuts, restarts and silence: in the end the copy equals the book."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles.price_book_double import APP_OWNER, DIRECT, SPECIFIC, TUKUPAY, Follower, following
from tests.system.effort import effort
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

customers = st.sampled_from(["a", "b"])
apps = st.sampled_from([None, "x"])
tiers = st.sampled_from([(SPECIFIC, "a"), (SPECIFIC, "b"), (APP_OWNER, "x"), (DIRECT, None), (TUKUPAY, None)])
steps = st.one_of(
    st.tuples(st.just("set"), tiers, st.sampled_from([-60.0, 0.0, 0.05, 3_600.0])),
    st.tuples(st.just("withdraw"), st.integers(0, 5)),
    st.tuples(st.sampled_from(["cut", "restart", "mute", "settle"])),
    *[st.tuples(st.just("ask"), customers, apps)] * 4,
)


class Play:
    """What can happen, by name."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.book = follower.book
        self.asking: set[asyncio.Future[int]] = set()

    async def set(self, tier: tuple[Any, str | None], after_s: float) -> None:
        level, entity = tier
        self.book.set(level, 100_000 + len(self.book.rows), of=entity, after_s=after_s)

    async def withdraw(self, choice: int) -> None:
        future = [row for row in self.book.rows if _lies_ahead(row) and not row.HasField("withdrawal")]
        if future:
            self.book.withdraw(future[choice % len(future)])

    async def cut(self) -> None:
        self.book.cut()

    async def restart(self) -> None:
        await self.follower.server.stop(None)
        await self.follower.start_book()

    async def mute(self) -> None:
        self.book.is_mute = True
        await self.follower.broken()
        self.book.is_mute = False

    async def settle(self) -> None:
        await self.follower.caught_up()

    async def ask(self, customer: str, app: str | None) -> None:
        self.asking.add(asyncio.ensure_future(self.follower.price(customer, app)))
        await asyncio.sleep(0)

    async def end(self) -> None:
        """Compares, question by question and by audit."""
        await asyncio.gather(*self.asking, return_exceptions=True)
        await self.follower.caught_up()
        for customer, app in (("a", None), ("a", "x"), ("b", None), ("b", "x")):
            for at in (None, datetime.now(UTC) + timedelta(hours=2)):
                before = self.book.price(customer, app, at)
                said = await self.follower.price(customer, app, at)
                # Between the two looks a row may have taken effect.
                assert said in (before, self.book.price(customer, app, at))
        assert (await self.follower.audit.compare()).differing == ()


def _lies_ahead(row: pb.Cost) -> bool:
    return row.effective_from.ToDatetime(tzinfo=UTC) > datetime.now(UTC)


async def play(told: list[tuple[Any, ...]]) -> None:
    async with following() as follower, asyncio.timeout(60):
        playing = Play(follower)
        for name, *arguments in told:
            await getattr(playing, name)(*arguments)
        await playing.end()


@settings(max_examples=effort(12, 150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=5, max_size=25))
def test_after_any_interleaving_the_copy_equals_the_book(told: list[tuple[Any, ...]]) -> None:
    asyncio.run(play(told))
