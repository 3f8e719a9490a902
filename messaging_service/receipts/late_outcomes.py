"""Outcomes that arrive after their submits were called unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from uuid import UUID

from messaging_service.carriers.domain.submission import LateOutcome, Outcome, OutcomeKind
from messaging_service.sending.attempts import FIRST_RETRY_S
from messaging_service.shared.domain.message import parse_outbox_id
from service_kit.backoff import backoff_s
from service_kit.duties.duty import DutyLog
from service_kit.errors import ServiceError

KEPT_S = 600.0
"""How long what a carrier answered is kept for a database that is away."""
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Between two tries to record it; they double."""
DUTY = "late_outcomes"
PAUSES_S = (0.05, 0.2, 1.0, 3.0)
"""Between two looks at a message whose unknown outcome is being recorded at this moment."""


@dataclass(frozen=True, slots=True)
class LateSettlement:
    """A late outcome to record."""

    message_id: UUID
    epoch: int
    """Of the claim that it belongs to."""
    outcome: Outcome
    """Not UNKNOWN."""
    retry_in_s: float
    """For an outcome that was not taken: how long the message stays in the queue before the next claim."""


class Verdict(Enum):
    """What became of a late outcome."""

    RECORDED = "recorded"
    OVERTAKEN = "overtaken"
    """The message is no longer open, or runs under another claim: a receipt, the end of the window or another
    attempt decided. Or it is not to be sent again: a receipt proves that it was taken, or the phone opted out."""
    TOO_EARLY = "too early"
    """The message is still being submitted on record: its unknown outcome is yet to be written."""


class LateOutcomeStore(Protocol):
    """Where late outcomes are recorded."""

    async def settle_late(self, batch: Sequence[LateSettlement]) -> Sequence[Verdict]:
        """Settles messages that are still unknown under the same epoch, as their outcomes say, with their money.

        Accepted: charged, with the carrier's ids, and as far as receipts report. Refused: released. Not taken:
        queued again. A verdict for each, in order. Raises ServiceError when the database is away.
        """
        ...


class LateLog(DutyLog, Protocol):
    """Where an operator sees what came late."""

    def late_outcomes(self, recorded: int, ignored: int) -> None:
        """Called with the numbers of outcomes that came late; the ignored ones found their messages decided."""
        ...


class LateOutcomeProcessor:
    """Takes late outcomes from carriers; its `take` is the LateOutcomeSink."""

    def __init__(
        self,
        book: LateOutcomeStore,
        log: LateLog,
        *,
        pauses_s: Sequence[float] = PAUSES_S,
        keep_s: float = KEPT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keep_s`: how long outcomes are kept that cannot be recorded."""
        self._book = book
        self._log = log
        self._pauses_s = pauses_s
        self._keep_s = keep_s
        self._monotonic = monotonic

    async def take(self, late: Sequence[LateOutcome]) -> None:
        """Records what can still be recorded, and tries again while the database is away. Raises what failed last."""
        give_up = self._monotonic() + self._keep_s
        failures = 0
        while True:
            try:
                return await self.record(late)
            except ServiceError as error:
                self._log.upkeep_failed(DUTY, error)
                if self._monotonic() >= give_up:
                    raise
            except Exception as error:
                self._log.upkeep_crashed(DUTY, error)
                if self._monotonic() >= give_up:
                    raise
            failures += 1
            await asyncio.sleep(backoff_s(failures, SHORTEST_PAUSE_S, LONGEST_PAUSE_S))

    async def record(self, late: Sequence[LateOutcome]) -> None:
        """Records what can still be recorded. Raises ServiceError when the database is away."""
        waiting = [item for outcome in late if (item := _settlement(outcome)) is not None]
        recorded = 0
        for pause_s in (*self._pauses_s, None):
            if not waiting:
                break
            verdicts = await self._book.settle_late(waiting)
            recorded += verdicts.count(Verdict.RECORDED)
            waiting = [
                item
                for item, verdict in zip(waiting, verdicts, strict=True)
                if verdict is Verdict.TOO_EARLY and pause_s is not None
            ]
            if waiting and pause_s is not None:
                await asyncio.sleep(pause_s)
        self._log.late_outcomes(recorded, len(late) - recorded)


def _settlement(late: LateOutcome) -> LateSettlement | None:
    message_id = parse_outbox_id(late.message_id)
    if message_id is None or late.outcome.kind is OutcomeKind.UNKNOWN:
        return None
    return LateSettlement(message_id, late.epoch, late.outcome, FIRST_RETRY_S)
