"""What the use cases of notices count. Implementations never raise and never wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.endpoints import EndpointKind


class DeliveryMeter(Protocol):
    """Counts fan-out and deliveries."""

    def fanned_out(self, events: int, deliveries: int) -> None:
        """Called with the number of events read and of deliveries recorded for them; both may be 0."""
        ...

    def tried(self, error: str | None, took_s: float) -> None:
        """Called after each try of a delivery. `error`: the stable word for what went wrong; None when taken."""
        ...

    def given_up(self, deliveries: int) -> None:
        """Called with the number of deliveries that ended without being taken, which may be 0."""
        ...

    def disabled(self) -> None:
        """Called when an endpoint was disabled because it answered that it is gone."""
        ...


class TextMeter(Protocol):
    """Counts the texts that people get, and the processes that send them."""

    def text(self, kind: EndpointKind, error: str | None, events: int, took_s: float) -> None:
        """Called after each try of a text about `events` events. `error`: as in DeliveryMeter.tried."""
        ...

    def process_started(self) -> None:
        """Called when a process was started."""
        ...

    def process_failed(self) -> None:
        """Called when a process was ended because it gave no answer."""
        ...


class AlertMeter(Protocol):
    """Counts alerts."""

    def evaluated(self, raised: Mapping[AlertKind, int], resolved: Mapping[AlertKind, int]) -> None:
        """Called with the number of alerts that one look raised and resolved, by kind."""
        ...
