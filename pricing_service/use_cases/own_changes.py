"""The port to what must hear of this replica's own changes at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pricing_service.domain.tier import Tier


class OwnChanges(Protocol):
    """Hears of changes before those who made them are answered, so that they see what they wrote."""

    def changed(self, epoch: int, tiers: Iterable[Tier]) -> None:
        """These tiers changed, the last of them at this epoch."""
        ...
