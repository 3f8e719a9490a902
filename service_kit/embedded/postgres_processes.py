"""What a PostgreSQL server writes down about itself, and how to end one that lost its owner."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

FAST_STOP_S = 20.0
QUICK_STOP_S = 10.0
POLL_S = 0.01
_PROCESSES = Path("/proc")


def _pid_file_lines(data_dir: Path) -> list[str]:
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []


def status_of(data_dir: Path, pid: int) -> str | None:
    """The state that the server of that pid has written down: `starting`, `ready`, `stopping`."""
    match _pid_file_lines(data_dir):
        case [first, _, _, _, _, _, _, status, *_] if first.strip() == str(pid):
            return status.strip()
    return None


def stop_orphan(data_dir: Path) -> None:
    """Stops a server without an owner, and removes the pid file of one that is gone.

    Safe, because the caller holds the lock of the data folder.
    """
    if not _PROCESSES.is_dir():
        # The server itself distinguishes a live predecessor from a dead one, more cautiously.
        return
    lines = _pid_file_lines(data_dir)
    if lines and re.fullmatch(r"\d+", lines[0].strip()):
        pid = int(lines[0])
        for number, patience_s in (
            (signal.SIGINT, FAST_STOP_S),
            (signal.SIGQUIT, QUICK_STOP_S),
            (signal.SIGKILL, QUICK_STOP_S),
        ):
            if not serves(pid, data_dir):
                break
            os.kill(pid, number)
            _wait_for(lambda: not serves(pid, data_dir), patience_s)
    for pid in _servers_on(data_dir):
        # Without their parent they end by themselves; a new server refuses to start until they have.
        _wait_for(lambda pid=pid: not serves(pid, data_dir), QUICK_STOP_S)  # type: ignore[misc]
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def serves(pid: int, data_dir: Path) -> bool:
    """Whether a process is a live server on a data folder.

    A zombie is not one, nor is a stranger that got the same pid.
    """
    process = _PROCESSES / str(pid)
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return state not in {"Z", "X"} and (process / "cwd").samefile(data_dir)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _servers_on(data_dir: Path) -> list[int]:
    pids = [int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if serves(pid, data_dir)]


def _wait_for(condition: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_S)
