"""What a process is called where several of a kind run."""

from __future__ import annotations

import os
import socket
import time


def process_name() -> str:
    """A name that no other running process has, also after a restart within one pod."""
    return f"{socket.gethostname()}/{os.getpid()}/{time.time_ns():x}"
