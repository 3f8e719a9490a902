"""Finds out that a peer is gone which did not say so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LinkCheck:
    """Asks a quiet peer now and then whether it is there, and calls `gone` when nothing comes from it in time.

    Whatever comes from the peer proves that it is there, the answer to the question or anything else: some carriers
    leave an enquire_link without an answer while they answer submits. `ask` sends the question and gives its sequence
    number.
    """

    def __init__(self, every_s: float, timeout_s: float, ask: Callable[[], int], gone: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._ask = ask
        self._gone = gone
        self._question: int | None = None
        self._is_waiting = False
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The link was bound."""
        self._heard_at = self._loop.time()
        self._set_timer(self._every_s, self._look)

    def hurry(self) -> None:
        """Something makes the link suspect: asks now, unless an answer is waited for."""
        if not self._is_waiting:
            self._enquire()

    def heard(self) -> None:
        """Something came from the peer."""
        self._heard_at = self._loop.time()
        if self._is_waiting:
            self._is_waiting = False
            self._set_timer(self._every_s, self._look)

    def is_question(self, sequence: int) -> bool:
        """Whether the last question has this number."""
        return sequence == self._question

    def stop(self) -> None:
        """The link is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        quiet_s = self._loop.time() - self._heard_at
        if quiet_s < self._every_s:
            self._set_timer(self._every_s - quiet_s, self._look)
        else:
            self._enquire()

    def _enquire(self) -> None:
        self._is_waiting = True
        self._question = self._ask()
        self._set_timer(self._timeout_s, self._gone)

    def _set_timer(self, delay_s: float, call: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._loop.call_later(delay_s, call)
