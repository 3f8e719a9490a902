"""The port to what speaks with messengers and mail relays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from messaging_service.notices.domain.endpoints import EndpointKind


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to say of a target before it is used."""

    shown: str
    """The target without its secrets; empty when it cannot be used."""
    problem: str | None
    """What is wrong with it, in a sentence that goes on from its field's name; None for nothing."""


class ChannelTargets(Protocol):
    """Which targets may be written to. Raises ServiceError CHANNELS_BUSY when that cannot be told now."""

    async def check(self, kind: EndpointKind, target: str) -> Checked:
        """Looks at the target of a channel, with where its host leads now."""
        ...
