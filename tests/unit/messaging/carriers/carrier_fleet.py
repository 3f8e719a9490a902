"""Carriers by name, on routes, for tests of who takes a message."""

from __future__ import annotations

from dataclasses import dataclass, field

from messaging_service.carriers.carrier_fleet import Fleet
from messaging_service.carriers.domain.circuit_breaker import BreakerSettings
from messaging_service.carriers.domain.routing import Leg, Route
from messaging_service.carriers.domain.submission import Submission
from messaging_service.carriers.route_carriers import RouteCarriers
from messaging_service.texts.segmentation import segment
from tests.doubles.messaging_fakes import RecordedLog
from tests.doubles.scripted_carrier import ScriptedCarrier

SUBMISSION = Submission("outbox_1", "TUKUPAY", "+254712345678", segment("Habari"), epoch=1)


@dataclass
class Carriers:
    """A fleet of scripted carriers, and one route over them."""

    legs: tuple[Leg, ...]
    window: int = 10
    now: float = 1_000.0
    log: RecordedLog = field(default_factory=RecordedLog)

    def __post_init__(self) -> None:
        self.by_name = {leg.carrier: ScriptedCarrier(self.window, name=leg.carrier) for leg in self.legs}
        breaker = BreakerSettings(outcomes=4, failures=3, open_s=5)
        self.fleet = Fleet(list(self.by_name.values()), self.log, breaker, drain_s=1.0, clock=lambda: self.now)
        self.route = RouteCarriers(Route("default", self.legs), self.fleet)

    def __getitem__(self, name: str) -> ScriptedCarrier:
        return self.by_name[name]

    async def chosen(self, number: int, avoid: tuple[str, ...] = ()) -> list[str]:
        """Who gets the next messages, so many, one after the other."""
        names = []
        for _ in range(number):
            slot = self.route.try_reserve(avoid)
            names.append("none" if slot is None else slot.carrier)
            if slot is not None:
                await slot.submit(SUBMISSION)
        return names
