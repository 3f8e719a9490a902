"""Finds out that a peer is gone which did not say so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LinkCheck:
    """Asks the peer now and then whether it is there, and calls `gone` when it does not answer in time.

    `ask` sends the question and gives its sequence number.
    """

    def __init__(self, every_s: float, timeout_s: float, ask: Callable[[], int], gone: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._ask = ask
        self._gone = gone
        self._asked: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The link was bound."""
        self._set_timer(self._every_s, self._enquire)

    def hurry(self) -> None:
        """Something makes the link suspect: asks now, unless an answer is waited for."""
        if self._asked is None:
            self._enquire()

    def answered(self, sequence: int) -> bool:
        """The peer answered; False when that is no answer to the question."""
        if sequence != self._asked:
            return False
        self._asked = None
        self._set_timer(self._every_s, self._enquire)
        return True

    def stop(self) -> None:
        """The link is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _enquire(self) -> None:
        self._asked = self._ask()
        self._set_timer(self._timeout_s, self._gone)

    def _set_timer(self, delay_s: float, call: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._loop.call_later(delay_s, call)
