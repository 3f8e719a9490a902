"""Child processes that do not outlive their parent, also when it is killed with SIGKILL.

This file is both the module that builds such commands and the little program that they start with,
so it uses the standard library alone: it runs without site-packages to start quickly.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_SAME = -1


@dataclass(frozen=True, slots=True)
class SystemUser:
    """An account of the operating system."""

    name: str
    uid: int
    gid: int


def unprivileged_user() -> SystemUser | None:
    """Whom a root process becomes to run a program that refuses root: `postgres`, else `nobody`.

    None when this process is not root, and stays who it is. Creates no account.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return SystemUser("65534", 65_534, 65_534)


def bound_command(argv: Sequence[str], *, death_signal: signal.Signals, user: SystemUser | None = None) -> list[str]:
    """The command that runs `argv` as `user` and gets `death_signal` when its parent ends.

    The parent is the *thread* that starts it: start it from one that lives as long as the child should.
    The program keeps the process id of the started command. Exits with 127, and says why, when the
    program cannot be run. Where the kernel has no such signal (not Linux) the child is an ordinary one.
    """
    uid, gid = (user.uid, user.gid) if user else (_SAME, _SAME)
    return [
        sys.executable,
        *("-I", "-S", str(Path(__file__).resolve())),
        *(str(int(death_signal)), str(os.getpid()), str(uid), str(gid)),
        *argv,
    ]


def _run(arguments: Sequence[str]) -> None:
    death_signal, parent, uid, gid = (int(argument) for argument in arguments[:4])
    argv = list(arguments[4:])
    if uid != _SAME:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the signal was armed.
        raise SystemExit(1)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the command comes from bound_command
    except OSError as error:
        sys.stderr.write(f"cannot run {argv[0]}: {error.strerror}\n")
        raise SystemExit(127) from None


if __name__ == "__main__":
    _run(sys.argv[1:])
