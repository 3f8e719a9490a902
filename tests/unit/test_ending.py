"""Tasks are ended for certain."""

from __future__ import annotations

import asyncio

import pytest

from service_kit.duties.ending import SharedTime, end_tasks

pytestmark = pytest.mark.timeout(20)


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def duty() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost == 2:
                    raise

    task = asyncio.ensure_future(duty())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert (task.cancelled(), lost) == (True, 2)


async def test_steps_share_the_time_of_an_end_and_the_last_ones_get_a_little_all_the_same() -> None:
    time = SharedTime(0.05, least_s=0.01)
    first_s = time.left_s
    assert first_s == pytest.approx(0.05, abs=0.005)
    await asyncio.sleep(0.06)
    assert time.left_s == 0.01


async def test_what_has_ended_is_left_alone_and_what_fails_is_not_hidden() -> None:
    async def done() -> str:
        return "done"

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while ending")

    ended, failed = asyncio.ensure_future(done()), asyncio.ensure_future(failing())
    await ended
    await end_tasks([ended, failed])
    assert ended.result() == "done"
    with pytest.raises(ValueError, match="while ending"):
        await failed
