"""The port to what must hear of this replica's own changes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pricing_service.domain.edition import Edition
from pricing_service.domain.tier import Tier


class OwnChanges(Protocol):
    """Notified of changes before their callers are answered, so that callers read their own writes."""

    def changed(self, edition: Edition, tiers: Sequence[Tier]) -> None:
        """These tiers changed, one with each of the changes up to this edition."""
        ...
