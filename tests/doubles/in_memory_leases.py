"""Bind leases in dictionaries, with a clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass, field

from messaging_service.carriers.bind_leases import LeaseShare, LeaseTerms, fair_shares


@dataclass
class LeaseBook:
    """What all replicas share."""

    now_s: float = 0.0
    leases: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)
    seekers: dict[tuple[str, str], float] = field(default_factory=dict)


class InMemoryBindLeases:
    """The leases of one replica."""

    def __init__(self, book: LeaseBook, owner: str) -> None:
        self._book = book
        self._owner = owner

    async def renew(self, terms: LeaseTerms) -> LeaseShare:
        book, until = self._book, self._book.now_s + terms.lease_s
        book.seekers[terms.carrier, self._owner] = until
        holdings = {
            owner: 0
            for (carrier, owner), seen in book.seekers.items()
            if carrier == terms.carrier and seen >= book.now_s
        }
        mine: list[int] = []
        free: list[int] = []
        for number in range(1, terms.max_binds + 1):
            owner, lease_until = book.leases.get((terms.carrier, number), (None, 0.0))
            if owner == self._owner:
                mine.append(number)
                holdings[self._owner] += 1
            elif owner is None or lease_until <= book.now_s:
                free.append(number)
            elif owner in holdings:
                holdings[owner] += 1
        fair = fair_shares(holdings, terms.max_binds)[self._owner]
        held = mine + free[: max(0, fair - len(mine))]
        for number in held:
            book.leases[terms.carrier, number] = (self._owner, until)
        return LeaseShare(frozenset(held), fair)

    async def release(self, carrier: str, number: int) -> None:
        owner, _ = self._book.leases.get((carrier, number), (None, 0.0))
        if owner == self._owner:
            del self._book.leases[carrier, number]

    async def leave(self, carrier: str) -> None:
        for held_at, number in list(self._book.leases):
            if held_at == carrier:
                await self.release(carrier, number)
        self._book.seekers.pop((carrier, self._owner), None)
