"""Looks at the files of TLS again and again, and hands on what they hold when it has changed and can be used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from service_kit.tls.tls_files import TlsFilesError, TlsMaterial, read_tls_files
from service_kit.tls.tls_settings import TlsFiles

EXPIRES_SOON: Final = timedelta(days=7)

log = structlog.get_logger()


class WatchedTls:
    """What the files of one use of TLS hold, the last time that they could be used."""

    def __init__(self, use: str, files: TlsFiles, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`use`: in logs and metrics, such as `server`. Raises TlsFilesError when the files cannot be used."""
        self.use: Final = use
        self._files = files
        self._now = now
        self._takers: list[Callable[[TlsMaterial], None]] = []
        self._refused: str | None = None
        """Why the files could not be used at the last look; None when they could."""
        self._warned: datetime | None = None
        """The end of which a warning was logged; None before the first."""
        self.current = read_tls_files(files)
        """What is in use."""

    def on_change(self, take: Callable[[TlsMaterial], None]) -> None:
        """Calls `take` with each new material, on the loop. It raises ssl.SSLError for one that it cannot use."""
        self._takers.append(take)

    async def look(self) -> None:
        """Reads the files; new ones are handed on, and those that cannot be used are logged once and change nothing."""
        try:
            found = await asyncio.to_thread(read_tls_files, self._files)
            if found == self.current:
                self._refused = None
                self._warn_of_expiry()
                return
            for take in self._takers:
                take(found)
        except (TlsFilesError, ssl.SSLError) as error:
            problem = str(error) if isinstance(error, TlsFilesError) else f"OpenSSL refuses them: {error.reason}"
            if problem != self._refused:
                self._refused = problem
                log.warning("tls.files_refused", use=self.use, problem=problem)
            return
        self._refused = None
        self.current = found
        log.info("tls.files_taken", use=self.use, expires=found.expires.isoformat() if found.expires else None)
        self._warn_of_expiry()

    def _warn_of_expiry(self) -> None:
        """Logs once that the certificate in use ends soon, or has ended."""
        expires = self.current.expires
        if expires is None or expires == self._warned or expires - self._now() >= EXPIRES_SOON:
            return
        self._warned = expires
        log.warning("tls.certificate_expires", use=self.use, expires=expires.isoformat())
