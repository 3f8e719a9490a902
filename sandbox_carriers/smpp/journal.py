"""The carrier's own record of what it accepted, for tests that check others against it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec


class Journal:
    """An append-only file of JSON lines, one for each accepted submit.

    A line is with the operating system before the answer to its submit leaves, so a client that was told
    "accepted" finds it there even when the sandbox is killed. Not synced: it outlives the process, not
    the machine.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lines: list[bytes] = []

    @property
    def is_on(self) -> bool:
        """Whether lines are wanted."""
        return self._file is not None

    def add(self, entry: dict[str, Any]) -> None:
        """Takes a line, to be written by the next `flush`."""
        self._lines.append(msgspec.json.encode(entry) + b"\n")

    def flush(self) -> None:
        """Writes the lines that were added. Raises OSError when the file cannot hold them."""
        if self._file is None or not self._lines:
            return
        octets = b"".join(self._lines)
        self._lines.clear()
        while octets:
            octets = octets[os.write(self._file, octets) :]

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None
