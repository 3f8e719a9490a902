"""Turns of later parts: in order, as many as there is room for, and none is lost."""

from __future__ import annotations

import asyncio

from messaging_service.carriers.smpp.binds.turns import Turns

LONG_S = 60.0


class Window:
    """Room for so many submits at once."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.in_flight = 0
        self.most = 0
        self.order: list[int] = []
        self.turns = Turns(lambda let_on: self.in_flight + let_on < self.room)

    async def part(self, number: int, timeout_s: float = LONG_S) -> bool:
        if not await self.turns.wait(timeout_s):
            return False
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self.order.append(number)
        return True

    def answered(self) -> None:
        self.in_flight -= 1
        self.turns.look()


async def turn_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_with_room_nobody_waits() -> None:
    window = Window(3)
    async with asyncio.timeout(LONG_S):
        assert [await window.part(number) for number in range(3)] == [True] * 3


async def test_turns_come_in_order_and_never_exceed_the_room() -> None:
    window = Window(0)
    parts = [asyncio.create_task(window.part(number)) for number in range(6)]
    await turn_of_the_loop()
    assert window.order == []
    window.room = 2
    window.turns.look()
    window.turns.look()
    await turn_of_the_loop()
    assert window.order == [0, 1]
    for served in range(3, 7):
        window.answered()
        await turn_of_the_loop()
        assert window.order == list(range(served))
    assert await asyncio.gather(*parts) == [True] * 6
    assert window.most == 2


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    window = Window(1)
    assert await window.part(0)
    waiting = asyncio.create_task(window.part(1))
    await turn_of_the_loop()
    window.answered()
    newcomer = asyncio.create_task(window.part(2))
    await turn_of_the_loop()
    assert window.order == [0, 1]
    window.answered()
    assert await waiting
    assert await newcomer
    assert window.order == [0, 1, 2]


async def test_who_waits_too_long_gives_its_turn_to_the_next() -> None:
    window = Window(0)
    assert not await window.part(0, timeout_s=0.01)
    second = asyncio.create_task(window.part(1))
    await turn_of_the_loop()
    window.room = 1
    window.turns.look()
    assert await second
    assert window.order == [1]


async def test_a_turn_that_comes_to_one_who_was_cancelled_goes_to_the_next() -> None:
    window = Window(0)
    first, second = (asyncio.create_task(window.part(number)) for number in range(2))
    await turn_of_the_loop()
    window.room = 1
    window.turns.look()
    # Cancelled in the same turn of the loop in which it is let on.
    first.cancel()
    assert await second
    assert window.order == [1]
    assert first.cancelled()


async def test_a_cancelled_one_leaves_the_queue() -> None:
    window = Window(0)
    first, second = (asyncio.create_task(window.part(number)) for number in range(2))
    await turn_of_the_loop()
    first.cancel()
    await turn_of_the_loop()
    window.room = 1
    window.turns.look()
    assert await second
    assert window.order == [1]
