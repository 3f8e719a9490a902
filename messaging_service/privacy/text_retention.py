"""Erases texts whose retention is over: in the rows, and by their keys in every backup as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from messaging_service.privacy.convert_rows import STEP, STEP_PAUSE_S
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.audit.actor import Actor
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import Violation, invalid

DUTY: Final = "privacy_retention"
EVERY_S: Final = 3_600.0
MOST_DAYS: Final = 3_650


@dataclass(frozen=True, slots=True)
class TextTerm:
    """How long an account's texts are kept."""

    days: int
    """0 for ever."""
    own: bool
    """Whether it is the account's own term, and not the one for all accounts."""


class RetentionStore(Protocol):
    """Where terms are kept, and texts end. Every method raises ServiceError DATABASE_UNAVAILABLE."""

    async def set_term(self, account_id: str, days: int | None, actor: Actor) -> TextTerm:
        """Sets an account's term, None for that of all accounts. Raises ServiceError ACCOUNT_NOT_FOUND."""
        ...

    async def terms(self) -> Mapping[str, int]:
        """The days of every account whose texts end."""
        ...

    async def erase_texts(self, account_id: str, days: int, limit: int) -> tuple[int, bool]:
        """Erases the oldest texts of an account that are over; how many, and whether more may be.

        Messages that are open keep theirs until they have ended.
        """
        ...

    async def destroy_keys(self, limit: int) -> int:
        """Destroys the keys of months in which no text is kept any more; how many."""
        ...


class RetentionMeter(Protocol):
    """Called after each step."""

    def erased(self, texts: int) -> None:
        """So many texts were erased."""
        ...

    def destroyed(self, keys: int) -> None:
        """So many keys were destroyed."""
        ...


class SetTextRetention:
    """The use case behind SetTextRetention."""

    def __init__(self, store: RetentionStore) -> None:
        self._store = store

    async def __call__(self, account_id: str, days: int | None, actor: Actor) -> TextTerm:
        """Sets how long an account's texts are kept. Raises ServiceError INVALID_ARGUMENT or ACCOUNT_NOT_FOUND."""
        violations: list[Violation] = []
        if problem := text_problem(account_id, MAX_IDENTIFIER):
            violations.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
        if days is not None and not 1 <= days <= MOST_DAYS:
            problem = f"is {days}; give 1 to {MOST_DAYS:,} days, or leave it out for the term of all accounts"
            violations.append(Violation("days", reasons.OUT_OF_RANGE, problem))
        if violations:
            raise invalid(violations)
        return await self._store.set_term(account_id, days, actor)


class EraseOldTexts:
    """Looks through all accounts once an hour, in small steps."""

    def __init__(self, store: RetentionStore, log: DutyLog, meter: RetentionMeter, *, every_s: float = EVERY_S) -> None:
        self._store = store
        self._meter = meter
        self._left: Sequence[tuple[str, int]] = ()
        self._has_begun = False
        self._duty = Duty(DUTY, self._step, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _step(self) -> float | None:
        if not self._has_begun:
            self._left, self._has_begun = sorted((await self._store.terms()).items()), True
        if self._left:
            (account_id, days), *others = self._left
            erased, more = await self._store.erase_texts(account_id, days, STEP)
            self._meter.erased(erased)
            self._left = self._left if more else others
            return STEP_PAUSE_S
        destroyed = await self._store.destroy_keys(STEP)
        self._meter.destroyed(destroyed)
        self._has_begun = destroyed == STEP
        return STEP_PAUSE_S if destroyed == STEP else None
