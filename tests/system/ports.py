"""Ports for servers that are stopped and started again."""

from __future__ import annotations

import os
import secrets
import socket
from itertools import cycle
from typing import Final

_FIRST: Final = 20_000
_COUNT: Final = 12_000
_SHARES: Final = 8


def _own() -> range:
    """The ports of this process among those that run the suite, so that none is given out twice before it is used."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    share = _COUNT // _SHARES
    first = _FIRST + int(worker) % _SHARES * share
    return range(first, first + share)


def _turns() -> cycle[int]:
    own = _own()
    begin = secrets.randbelow(len(own))
    return cycle([*own[begin:], *own[:begin]])


_PORTS: Final = _turns()


def free_port() -> int:
    """A loopback port that nobody listens on, and that nobody here was given for a thousand times.

    It lies below those that the operating system hands to outgoing connections: a client that knocks at the
    port of a stopped server could otherwise be given that very port, and be connected to itself.
    """
    while True:
        port = next(_PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
