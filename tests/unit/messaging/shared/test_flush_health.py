"""What is said of group commits that stand still."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from messaging_service.sending.flush_health import FlushHealth, FlushStuckError
from messaging_service.shared.group_commit import GroupCommit
from service_kit.errors import ServiceError

pytestmark = pytest.mark.timeout(10)


class Commits:
    """A group commit whose flushes end when the test says, by a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.begun = asyncio.Event()
        self.end = asyncio.Event()
        self.commit: GroupCommit[int, int] = GroupCommit(
            "acceptance", self._flush, max_batch=1, max_waiting=10, clock=lambda: self.now
        )
        self.health = FlushHealth([self.commit])

    async def _flush(self, items: Sequence[int]) -> Sequence[int | ServiceError]:
        self.begun.set()
        await self.end.wait()
        return items


async def test_nothing_is_wrong_while_nothing_waits() -> None:
    commits = Commits()
    commits.now = 1_000.0
    assert commits.commit.oldest_s == 0
    assert commits.health.problem() is None


async def test_a_flush_that_is_overdue_is_named_and_one_that_is_stuck_ends_the_process() -> None:
    commits = Commits()
    submitted = asyncio.ensure_future(commits.commit.submit(1))
    await commits.begun.wait()
    commits.now = 10.0
    assert commits.health.problem() is None
    commits.now = 10.1
    assert commits.commit.oldest_s == 10.1
    assert commits.health.problem() == "the oldest acceptance has waited for more than 10 s"
    commits.now = 60.1
    with pytest.raises(FlushStuckError, match="acceptance"):
        commits.health.problem()
    commits.end.set()
    assert await submitted == 1
    assert commits.commit.oldest_s == 0
    assert commits.health.problem() is None


async def test_who_waits_behind_a_flush_is_counted_with_it() -> None:
    commits = Commits()
    first = asyncio.ensure_future(commits.commit.submit(1))
    await commits.begun.wait()
    commits.now = 5.0
    second = asyncio.ensure_future(commits.commit.submit(2))
    await asyncio.sleep(0)
    commits.now = 12.0
    assert (commits.commit.oldest_s, commits.commit.running_s) == (12.0, 12.0)
    commits.end.set()
    assert [await first, await second] == [1, 2]


async def test_a_flush_that_answers_too_few_leaves_nobody_waiting() -> None:
    async def forget_one(items: Sequence[int]) -> Sequence[int | ServiceError]:
        return items[1:]

    commit: GroupCommit[int, int] = GroupCommit("acceptance", forget_one, max_batch=2, max_waiting=10)
    answers = await asyncio.gather(commit.submit(1), commit.submit(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, ValueError]
    assert isinstance(await asyncio.gather(commit.submit(3), return_exceptions=True), list)
