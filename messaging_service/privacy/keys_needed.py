"""Keeps a process that has no keys from a database whose texts are under keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from service_kit.duties.duty import Duty, DutyLog

DUTY: Final = "privacy_keys"
EVERY_S: Final = 10.0


class KeysInUse(Protocol):
    """Where data keys are stored."""

    async def any(self) -> bool:
        """Whether there are any. Raises ServiceError DATABASE_UNAVAILABLE."""
        ...


class KeysNeeded:
    """Looks now and then whether texts are under keys that this process does not have.

    Such a process would store texts in plain beside them, and would not know the opt-outs of phones that were erased.
    """

    def __init__(self, keys: KeysInUse, refuse: Callable[[], None], log: DutyLog) -> None:
        """`refuse` keeps the process from storing and reading texts from then on."""
        self._keys = keys
        self._refuse = refuse
        self._is_needed = False
        self._duty = Duty(DUTY, self._look, log, every_s=EVERY_S)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _look(self) -> None:
        if not self._is_needed and await self._keys.any():
            self._is_needed = True
            self._refuse()

    def problem(self) -> str | None:
        """Why no message can be taken, in words for an operator; None while one can."""
        needed = "texts are stored under keys: set MESSAGING_KEK_FILE or MESSAGING_TRANSIT_URL"
        return needed if self._is_needed else None
