"""The port that checks where an endpoint leads before anything is sent there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from messaging_service.notices.domain.endpoints import EndpointKind


@dataclass(frozen=True, slots=True)
class CheckedTarget:
    """What a check found out about a target."""

    shown: str
    """The target without its secrets; empty when it cannot be used."""
    problem: str | None
    """What is wrong with it, in a sentence that continues its field's name; None when nothing is."""


class EndpointTargets(Protocol):
    """Decides which targets may be used. Raises ServiceError CHANNELS_BUSY when a check is not possible now."""

    async def check(self, kind: EndpointKind, target: str) -> CheckedTarget:
        """Checks the URL or the address of an endpoint, with the addresses that its host has now."""
        ...
