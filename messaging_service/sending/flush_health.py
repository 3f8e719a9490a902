"""Whether what is committed together gets committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from messaging_service.shared.group_commit import GroupCommit

OVERDUE_S: Final = 10.0
"""Age of an item in a flush, or waiting for one, from which on the process takes no calls."""
STUCK_S: Final = 60.0
"""Run time of one flush from which on the process ends. Everything that a flush waits for is bounded, and ends before
that whatever the database does, so something is wrong with the process itself."""


class FlushStuckError(Exception):
    """A flush waits for something that does not come."""


class FlushHealth:
    """Looks at the group commits that messages wait for."""

    def __init__(self, commits: Sequence[GroupCommit[Any, Any]]) -> None:
        self._commits = commits

    def problem(self) -> str | None:
        """Why no message can be taken, in words for an operator; None while flushes go on.

        Raises FlushStuckError when one runs long enough that only a new process helps.
        """
        if (stuck := self.stuck()) is not None:
            raise FlushStuckError(stuck)
        for commit in self._commits:
            if commit.oldest_s > OVERDUE_S:
                return f"the oldest {commit.name} has waited for more than {OVERDUE_S:g} s"
        return None

    def stuck(self) -> str | None:
        """Why only a new process helps, in words; None while flushes go on, however late."""
        for commit in self._commits:
            if commit.running_s > STUCK_S:
                return f"the {commit.name} flush runs for more than {STUCK_S:g} s"
        return None
