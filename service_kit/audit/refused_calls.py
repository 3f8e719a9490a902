"""Refused calls, on their way into the audit log: each cause soon, repetitions as a number, and never a flood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from service_kit.audit.actor import PLATFORM, Actor
from service_kit.audit.audit_entry import AuditRecord

WINDOW_S: Final = 60.0
MOST: Final = 100
"""Causes that are told apart in a minute; what is beyond them is one entry with a number."""
ACTION: Final = "access.refused"


class RefusedCall(NamedTuple):
    """Why a caller was refused."""

    principal: str
    kind: str
    """As in Actor."""
    method: str
    """The method or route."""
    scope: str | None
    """The scope that is missing; None when the account is foreign."""


@dataclass(slots=True)
class _Count:
    actor: Actor
    calls: int = 0
    written: int = 0


class RefusedCalls:
    """Counts refusals by their cause. At most two entries for each cause in a minute are made of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, rising."""
        self._clock = clock
        self._began = clock()
        self._counts: dict[RefusedCall, _Count] = {}
        self._others = 0

    def note(self, actor: Actor, method: str, scope: str | None, calls: int = 1) -> None:
        """Counts calls that were refused to somebody."""
        refusal = RefusedCall(actor.principal, actor.kind, method, scope)
        count = self._counts.get(refusal)
        if count is None:
            if len(self._counts) >= MOST:
                self._others += calls
                return
            count = self._counts[refusal] = _Count(actor)
        count.calls += calls

    def due(self) -> Sequence[tuple[Actor, RefusedCall | None, int]]:
        """What is to be written now, with the number of calls; None: of those that are not told apart.

        The first calls of a cause are due at once, the others when the minute is over. Who asks must write them.
        """
        is_over = self._clock() - self._began >= WINDOW_S
        found: list[tuple[Actor, RefusedCall | None, int]] = []
        for refusal, count in self._counts.items():
            if count.calls > count.written and (is_over or not count.written):
                found.append((count.actor, refusal, count.calls - count.written))
                count.written = count.calls
        if is_over:
            if self._others:
                found.append((PLATFORM, None, self._others))
            self._began, self._counts, self._others = self._clock(), {}, 0
        return found


def record_of(refusal: RefusedCall | None, calls: int) -> AuditRecord:
    """The entry for calls that were refused."""
    if refusal is None:
        return AuditRecord(ACTION, "others", after={"calls": calls})
    return AuditRecord(ACTION, refusal.method, after={"scope": refusal.scope, "calls": calls})
