"""Where a test may put itself between the parts of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.carrier_fleet import RunningCarrier
from messaging_service.carriers.files.carriers_file import CarrierSpec
from messaging_service.sending.outbox import Outbox
from messaging_service.wiring.chosen_carriers import built_carrier


@dataclass(frozen=True, slots=True)
class Seams:
    """The defaults change nothing."""

    outbox: Callable[[Outbox], Outbox] = lambda outbox: outbox
    carrier: Callable[[CarrierSpec, CarrierSinks, BindLeases], RunningCarrier] = built_carrier
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
