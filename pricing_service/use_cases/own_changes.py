"""The port to what must hear of this replica's own changes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pricing_service.domain.edition import Edition
from pricing_service.domain.tier import Tier


class OwnChanges(Protocol):
    """Hears of changes before those who made them are answered, so that they see what they wrote."""

    def changed(self, edition: Edition, tiers: Sequence[Tier]) -> None:
        """These tiers changed, one with each of the changes up to this edition."""
        ...
