"""Which carriers a message may take: routes, in the order in which they are tried for a match."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from messaging_service.shared.domain.states import Priority

DEFAULT_ROUTE = "default"
"""The name of the route that takes whatever no other takes; it always exists."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One carrier of a route."""

    carrier: str
    weight: int = 1
    """Its share of the messages among the legs of the same rank that can take one; at least 1."""
    rank: int = 0
    """Legs of the lowest rank are used. A higher rank serves only when no carrier of a lower one is available, or
    all of them are proven not to take the message."""


@dataclass(frozen=True, slots=True)
class Route:
    """The carriers for the messages that fit its conditions; an empty condition fits every message."""

    name: str
    legs: tuple[Leg, ...]
    prefixes: tuple[str, ...] = ()
    """Beginnings of the recipient's E.164 number, `+` included."""
    senders: frozenset[str] = frozenset()
    """Sender ids, in the exact spelling."""
    priorities: frozenset[Priority] = frozenset()

    def takes(self, recipient: str, sender_id: str, priority: Priority) -> bool:
        """Whether a message fits every condition."""
        return (
            (not self.prefixes or recipient.startswith(self.prefixes))
            and (not self.senders or sender_id in self.senders)
            and (not self.priorities or priority in self.priorities)
        )


class Routes:
    """All routes; the first that takes a message is its own."""

    def __init__(self, routes: Sequence[Route]) -> None:
        """Raises ValueError when names repeat, a route has no carrier, or the last is not the default one."""
        names = [route.name for route in routes]
        if not names or names[-1] != DEFAULT_ROUTE or len(set(names)) < len(names):
            raise ValueError(f"routes have names of their own and the last is {DEFAULT_ROUTE!r}, got {names}")
        if empty := [route.name for route in routes if not route.legs]:
            raise ValueError(f"routes without a carrier: {', '.join(empty)}")
        last = routes[-1]
        if last.prefixes or last.senders or last.priorities:
            raise ValueError(f"the route {DEFAULT_ROUTE!r} takes every message: remove its conditions")
        self._routes = tuple(routes)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def of(self, recipient: str, sender_id: str, priority: Priority) -> Route:
        """The route of a message."""
        return next(route for route in self._routes if route.takes(recipient, sender_id, priority))


def only_route(carriers: Collection[str]) -> Routes:
    """Every message to any of the carriers, in equal shares."""
    return Routes([Route(DEFAULT_ROUTE, tuple(Leg(name) for name in carriers))])
