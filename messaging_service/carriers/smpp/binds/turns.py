"""The order in which later parts of messages go out while their bind is made to slow down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Lets those who wait go on one by one, first come first served.

    `has_room` says whether one more may go on, given how many were let on and have not used it yet. It is asked
    again at every `look`, which the owner calls whenever the answer may have changed.
    """

    def __init__(self, has_room: Callable[[int], bool]) -> None:
        self._has_room = has_room
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._let_on = 0

    async def wait(self, timeout_s: float) -> bool:
        """Waits for a turn, which must be used before anything else is awaited; False when the time is over first."""
        if not self._waiting and self._has_room(self._let_on):
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            # A turn that comes together with the end of the time or a cancellation is passed on below.
            await asyncio.wait((turn,), timeout=timeout_s)
            return turn.done()
        finally:
            if turn.done():
                self._let_on -= 1
            else:
                self._waiting.remove(turn)
            self._pass_on()

    def look(self) -> None:
        """Lets on as many as there is room for."""
        while self._waiting and self._has_room(self._let_on):
            self._let_on += 1
            self._waiting.popleft().set_result(None)

    def _pass_on(self) -> None:
        # At the end of this turn of the loop, when who was let on has used it or has not.
        if self._waiting:
            asyncio.get_running_loop().call_soon(self.look)
