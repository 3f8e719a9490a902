"""The file of identities, read again when it changes, so that tokens are replaced while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from service_kit.access.identities import NOBODY, Identities, IdentitiesError, read_identities
from service_kit.duties.duty import Duty, DutyLog
from service_kit.settings import SettingsError

LOOK_S: Final = 10.0
"""Seconds between two looks at the file."""
DUTY: Final = "identities"
"""The name of the duty that looks at it."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""A file beyond that is none of identities."""

_Mark = tuple[int, int, int]

log = structlog.get_logger()


class IdentitiesFile:
    """The identities that the file last held when it could be read."""

    def __init__(self, path: Path | None) -> None:
        """`path`: None for no file, which knows nobody. Raises SettingsError when it cannot be read or is malformed."""
        self._path = path
        self._mark: _Mark | None = None
        self.now: Identities = NOBODY
        """Who is known at present."""
        if path is None:
            return
        try:
            self._mark, self.now = _mark(path), _read(path)
        except (OSError, IdentitiesError) as error:
            raise SettingsError(f"the file of identities {path}: {_why(error)}") from None

    def look(self) -> None:
        """Reads the file if it changed. One that is malformed or gone is logged once, and those known before stay."""
        if self._path is None:
            return
        try:
            mark = _mark(self._path)
        except OSError as error:
            mark = None
            if self._mark is not None:
                log.warning("identities.not_read", path=str(self._path), problem=_why(error))
        if mark in (None, self._mark):
            self._mark = mark
            return
        self._mark = mark
        try:
            self.now = _read(self._path)
        except (OSError, IdentitiesError) as error:
            log.warning("identities.not_read", path=str(self._path), problem=_why(error))
            return
        log.info("identities.read", path=str(self._path), count=self.now.count)

    def duty(self, failures: DutyLog) -> Duty:
        """Looks at the file for as long as the process lives."""

        async def one_look() -> None:
            self.look()

        return Duty(DUTY, one_look, failures, every_s=LOOK_S)


def _mark(path: Path) -> _Mark:
    """What differs when the file does: a new file in its place, or new contents."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> Identities:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise IdentitiesError(f"has more than {MAX_BYTES:,} octets")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise IdentitiesError("is not UTF-8") from None
    return read_identities(text)


def _why(error: OSError | IdentitiesError) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
