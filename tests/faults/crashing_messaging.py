"""The real messaging service, which kills or freezes itself once at a named point.

FAULT_AT names the point: `recorded` (requests are committed, and nothing has left for the carrier yet),
`answered` (the carrier has answered, and nothing of it is recorded yet), `settled` (the outcome is committed,
and nobody has been told yet). FAULT_SIGNAL is SIGKILL or SIGSTOP.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, cast

from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.carrier_fleet import RunningCarrier
from messaging_service.carriers.files.carriers_file import CarrierSpec
from messaging_service.sending.outbox import Outbox
from messaging_service.wiring.bootstrap import serve
from messaging_service.wiring.chosen_carriers import built_carrier
from messaging_service.wiring.seams import Seams
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.process import run_service

POINTS = {"recorded": "accept", "answered": "submit", "settled": "settle"}
"""What has just returned at each point."""


class Struck:
    """Stands before a part of the service: the fault strikes when one of its methods returns for the first time."""

    def __init__(self, part: object, method: str) -> None:
        self._part = part
        self._method = method
        self._is_over = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._then_strike(found) if name == self._method else found

    def _then_strike(self, found: Any) -> Any:
        async def call(*arguments: Any) -> Any:
            result = await found(*arguments)
            if not self._is_over:
                self._is_over = True
                os.kill(os.getpid(), signal.Signals[os.environ["FAULT_SIGNAL"]])
            return result

        return call


async def serve_until_struck(settings: MessagingSettings, stopping: asyncio.Event) -> None:
    """Serves like the real one, up to the point."""
    method = POINTS[os.environ["FAULT_AT"]]

    def outbox(inner: Outbox) -> Outbox:
        return cast("Outbox", Struck(inner, method))

    def carrier(spec: CarrierSpec, sinks: CarrierSinks, leases: BindLeases) -> RunningCarrier:
        return cast("RunningCarrier", Struck(built_carrier(spec, sinks, leases), method))

    await serve(settings, stopping, Seams(outbox=outbox, carrier=carrier))


if __name__ == "__main__":
    run_service("messaging", MessagingSettings, serve_until_struck)
