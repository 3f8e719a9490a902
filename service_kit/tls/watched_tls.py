"""Looks at the files of TLS again and again, and hands on what they hold when it has changed and can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Gauge
from prometheus_client.registry import CollectorRegistry

from service_kit.tls.tls_files import TlsFiles, TlsFilesError, TlsMaterial, read_tls_files

LOOK_S: Final = 5.0
"""Seconds between two looks: new files are in use after twice that at the latest."""
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
        self.current = read_tls_files(files)
        """What is in use."""
        self._warn_of_expiry()

    def on_change(self, take: Callable[[TlsMaterial], None]) -> None:
        """Calls `take` with each new material, on the loop; what it raises leaves the others as they are."""
        self._takers.append(take)

    async def look(self) -> None:
        """Reads the files; new ones are handed on, and those that cannot be used are logged once."""
        try:
            found = await asyncio.to_thread(read_tls_files, self._files)
        except TlsFilesError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                log.warning("tls.files_refused", use=self.use, problem=self._refused)
            return
        self._refused = None
        if found == self.current:
            return
        self.current = found
        log.info("tls.files_taken", use=self.use, expires=found.expires.isoformat() if found.expires else None)
        self._warn_of_expiry()
        for take in self._takers:
            take(found)

    def _warn_of_expiry(self) -> None:
        expires = self.current.expires
        if expires is not None and expires - self._now() < EXPIRES_SOON:
            log.warning("tls.certificate_expires", use=self.use, expires=expires.isoformat())


class TlsExpiry:
    """Exports when certificates end, as `tukupay_tls_certificate_expiry_timestamp_seconds`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauge = Gauge(
            "tukupay_tls_certificate_expiry_timestamp_seconds",
            "Unix time at which the certificate in use ends, by what it is used for.",
            ("use",),
            registry=registry,
        )

    def watch(self, watched: WatchedTls) -> None:
        """Exports that of one use, now and after each change; nothing when it shows no certificate."""
        if watched.current.expires is None:
            return
        self._gauge.labels(watched.use).set_function(
            lambda: watched.current.expires.timestamp() if watched.current.expires else 0.0
        )
