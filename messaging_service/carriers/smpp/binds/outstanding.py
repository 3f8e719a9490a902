"""The submits of one session that wait for their answers, and those whose answers may still come late."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

REMEMBERED_S: Final = 600.0
"""An answer that is later than that is not known any more."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The carrier answered a submit."""

    status: int
    message_id: str


class Unanswered(Enum):
    """Why a submit has no answer."""

    NOT_WRITTEN = "the link was gone before a byte of it left"
    NO_ANSWER = "no answer in time"
    LINK_LOST = "the link was lost before the answer"


SubmitAnswer = Answered | Unanswered


class Asked(NamedTuple):
    """What a submit is about, so that an answer can be reported after its caller is gone."""

    message_id: str
    """Of ours."""
    epoch: int
    taken: tuple[str, ...]
    """The carrier's ids of the parts before this one."""
    parts_left: int
    """Parts after this one."""
    segments: int = 1
    """Segments of the text in this part; more than one where the carrier cuts it."""


class Waiting:
    """A submit whose answer is still to come."""

    __slots__ = ("answer", "asked", "deadline", "ordinal")

    def __init__(self, answer: asyncio.Future[SubmitAnswer], asked: Asked, deadline: float, ordinal: int) -> None:
        self.answer = answer
        self.asked = asked
        self.deadline = deadline
        self.ordinal = ordinal


class Outstanding:
    """Submits by sequence number, oldest first, each with its deadline.

    `unanswered` is called for each whose time is over, unless `is_stuck` says that it never left, when `stuck` is.
    """

    def __init__(
        self,
        timeout_s: float,
        remembered: int,
        *,
        is_stuck: Callable[[Waiting], bool],
        stuck: Callable[[], None],
        unanswered: Callable[[Waiting], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._remembered = remembered
        self._is_stuck = is_stuck
        self._stuck = stuck
        self._unanswered = unanswered
        self._waiting: dict[int, Waiting] = {}
        self._late: OrderedDict[int, tuple[float, Asked]] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._waiting or sequence in self._late

    def __len__(self) -> int:
        """Submits that wait for an answer."""
        return len(self._waiting)

    def add(self, sequence: int, answer: asyncio.Future[SubmitAnswer], asked: Asked, ordinal: int) -> None:
        """A submit was sent under this sequence number."""
        deadline = self._loop.time() + self._timeout_s
        self._waiting[sequence] = Waiting(answer, asked, deadline, ordinal)
        if self._sweep is None:
            self._sweep = self._loop.call_at(deadline, self._expire)

    def take(self, sequence: int) -> Waiting | None:
        """The submit that an answer belongs to; None when none waits for it any more."""
        return self._waiting.pop(sequence, None)

    def take_late(self, sequence: int) -> Asked | None:
        """What the submit was about whose answer comes late; None when that is not known."""
        entry = self._late.pop(sequence, None)
        if entry is None or entry[0] < self._loop.time():
            return None
        return entry[1]

    def abandon(self) -> list[Waiting]:
        """All that wait, as the link is gone."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        waiting, self._waiting = self._waiting, {}
        self._late.clear()
        return list(waiting.values())

    def _expire(self) -> None:
        """Ends the submits whose time is over. They were sent in order, so the oldest is the first."""
        self._sweep = None
        now = self._loop.time()
        while self._waiting:
            sequence, submit = next(iter(self._waiting.items()))
            if submit.deadline > now:
                self._sweep = self._loop.call_at(submit.deadline, self._expire)
                return
            if self._is_stuck(submit):
                self._stuck()
                return
            del self._waiting[sequence]
            self._remember(sequence, submit.asked, now)
            self._unanswered(submit)

    def _remember(self, sequence: int, asked: Asked, now: float) -> None:
        self._late[sequence] = (now + REMEMBERED_S, asked)
        if len(self._late) > self._remembered:
            self._late.popitem(last=False)
