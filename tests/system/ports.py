"""Ports for servers that are stopped and started again."""

from __future__ import annotations

import secrets
import socket

_FIRST = 20_000
_COUNT = 12_000


def free_port() -> int:
    """A loopback port that nobody listens on.

    It lies below those that the operating system hands to outgoing connections: a client that knocks at the
    port of a stopped server could otherwise be given that very port, and be connected to itself.
    """
    while True:
        port = _FIRST + secrets.randbelow(_COUNT)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
