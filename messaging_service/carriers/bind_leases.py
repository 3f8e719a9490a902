"""The port to the leases by which replicas share the binds that a carrier allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """What is leased."""

    carrier: str
    max_binds: int
    """Leases there are, numbered from 1."""
    lease_s: float
    """Seconds for which each holds unless it is renewed."""


@dataclass(frozen=True, slots=True)
class LeaseShare:
    """What one replica holds after a renewal."""

    held: frozenset[int]
    """Numbers of its leases; each holds for `lease_s` from before the call."""
    fair: int
    """How many it should hold. With more, it gives some up; with fewer, others have yet to give theirs up."""


class BindLeases(Protocol):
    """The leases of one replica. Raises ServiceError DATABASE_UNAVAILABLE while they cannot be reached."""

    async def renew(self, terms: LeaseTerms) -> LeaseShare:
        """Renews what this replica holds, and takes what is free up to its fair share.

        Numbers that are held but exceed `max_binds` are not renewed.
        """
        ...

    async def release(self, carrier: str, number: int) -> None:
        """Gives one up, for another replica to take at once. Harmless for one that it does not hold."""
        ...

    async def leave(self, carrier: str) -> None:
        """Gives all up; the shares of the others grow. Harmless for a replica that holds none."""
        ...


def fair_shares(holdings: Mapping[str, int], max_binds: int) -> dict[str, int]:
    """How many leases each replica should hold, given how many each holds now.

    All are shared out and no two shares differ by more than one. The odd ones go to those who hold most, so that
    nobody rebinds without need.
    """
    if not holdings:
        return {}
    share, odd = divmod(max_binds, len(holdings))
    by_holding = sorted(holdings, key=lambda owner: (-holdings[owner], owner))
    return {owner: share + (rank < odd) for rank, owner in enumerate(by_holding)}
