"""Every use that a process makes of TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, NoReturn

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service_kit.settings import SettingsError
from service_kit.tls.tls_files import TlsFilesError
from service_kit.tls.tls_settings import TlsFiles
from service_kit.tls.watched_tls import WatchedTls

LOOK_S: Final = 5.0
"""Seconds between two looks at the files: new ones are in use after 10 s at the latest."""


class TlsUses(Collector):
    """Opens the files, looks at them for as long as the process lives, and exports when their certificates end."""

    def __init__(self) -> None:
        self._watched: list[WatchedTls] = []

    def open(self, use: str, files: TlsFiles | None) -> WatchedTls | None:
        """Reads the files of one use, named in logs and metrics; None for none.

        Raises SettingsError when they cannot be used.
        """
        if files is None:
            return None
        try:
            watched = WatchedTls(use, files)
        except TlsFilesError as error:
            raise SettingsError(f"the files of TLS ({use}) cannot be used: {error}") from None
        self._watched.append(watched)
        return watched

    async def look(self) -> None:
        """Looks at all files once."""
        for watched in self._watched:
            await watched.look()

    async def run(self) -> NoReturn:
        """Looks at them until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    def collect(self) -> Iterator[Metric]:
        """When the certificates in use end."""
        expiry = GaugeMetricFamily(
            "tukupay_tls_certificate_expiry_timestamp_seconds",
            "Unix time at which the certificate in use ends, by what it is used for.",
            labels=("use",),
        )
        for watched in self._watched:
            if watched.current.expires is not None:
                expiry.add_metric((watched.use,), watched.current.expires.timestamp())
        yield expiry
