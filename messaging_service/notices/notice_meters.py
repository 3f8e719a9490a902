"""What notices report of their work to whoever counts it; counting never fails and never waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.endpoints import EndpointKind


class DeliveryMeter(Protocol):
    """Hears of what is told to webhooks."""

    def told(self, events: int, deliveries: int) -> None:
        """So many events were read, and so many deliveries recorded of them."""
        ...

    def tried(self, error: str | None, took_s: float) -> None:
        """A delivery was posted, which took so long; a stable word for what went wrong, None when it was taken."""
        ...

    def given_up(self, deliveries: int) -> None:
        """So many deliveries ended without being taken."""
        ...

    def disabled(self) -> None:
        """An endpoint said that it is gone, and is disabled."""
        ...


class TextMeter(Protocol):
    """Hears of what is told to people, and of the processes that do it."""

    def text(self, kind: EndpointKind, error: str | None, events: int, took_s: float) -> None:
        """A text of so many events was handed over; a stable word for what went wrong, None when it was taken."""
        ...

    def process_started(self) -> None:
        """A process was started."""
        ...

    def process_failed(self) -> None:
        """A process was ended, as it gave no answer."""
        ...


class AlertMeter(Protocol):
    """Hears of alerts."""

    def evaluated(self, raised: Mapping[AlertKind, int], resolved: Mapping[AlertKind, int]) -> None:
        """A look raised and resolved so many."""
        ...
