"""How many files and connections this process and its children may have open."""

from __future__ import annotations

import resource
from typing import Final

from sms_cli.shared.command_error import CommandError

NEEDED: Final = 256
"""PostgreSQL, the pools of its clients and some callers fit into it."""
WANTED: Final = 16_384


def allow_descriptors() -> None:
    """Raises the limit that shells set low to what is allowed; raises CommandError when that is too little."""
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
