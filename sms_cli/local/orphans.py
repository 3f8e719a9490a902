"""Reaps orphaned processes where this process inherits them.

As process 1 of a container, `up` becomes the parent of what its children leave behind, such as the processes of a
PostgreSQL that was killed. Each stays a zombie, and keeps its process id, until its parent collects its exit status.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, NoReturn

EVERY_S: Final = 2.0
_PR_GET_CHILD_SUBREAPER: Final = 37
_PROC: Final = Path("/proc")


def inherits_orphans() -> bool:
    """Whether orphans of this process's children become its own children: as process 1, or as a "subreaper"."""
    if os.getpid() == 1:
        return True
    if sys.platform != "linux":
        return False
    is_reaper = ctypes.c_int(0)
    answered = ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(is_reaper), 0, 0, 0)
    return answered == 0 and bool(is_reaper.value)


class OrphanReaper:
    """Reaps children that have ended and for which nobody here waits.

    A child that somebody waits for is reaped at once, so only one that is still there at the next look is an orphan.
    """

    def __init__(self, own: Callable[[], Collection[int]], *, every_s: float = EVERY_S) -> None:
        """`own`: the process ids that somebody waits for; they are never reaped."""
        self._own = own
        self._every_s = every_s
        self._seen: set[int] = set()

    async def run(self) -> NoReturn:
        """Looks for orphans until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._every_s)

    def look(self) -> None:
        """Reaps the children that were zombies at the last look already."""
        zombies = _zombies() - set(self._own())
        for pid in zombies & self._seen:
            # Somebody may have waited for it between the look and now.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._seen = zombies


def _zombies() -> set[int]:
    """Children of this process that have ended and were not waited for."""
    found: set[int] = set()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in parentheses, may hold anything; state and parent follow it (proc_pid_stat(5)).
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state == "Z" and int(parent) == os.getpid():
            found.add(int(entry.name))
    return found
