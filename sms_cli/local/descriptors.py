"""The limit of open files and connections of this process and its children."""

from __future__ import annotations

import resource
from typing import Final

from sms_cli.shared.command_error import CommandError

NEEDED: Final = 256
"""Enough for PostgreSQL, the pools of its clients and some callers."""
WANTED: Final = 16_384


def allow_descriptors() -> None:
    """Raises the soft limit, which shells set low, as far as allowed; raises CommandError when that is too little."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft != resource.RLIM_INFINITY and soft < NEEDED:
        raise CommandError(
            f"a process may have {soft} files and connections open here, and {NEEDED} are needed",
            f"raise the limit (`ulimit -n {WANTED}`, or LimitNOFILE= of a systemd unit), then start again",
        )
