"""Which carriers a message may take: routes, in the order in which they are tried for a match."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from messaging_service.shared.domain.states import Priority
from service_kit.access.principal import AccessMode

DEFAULT_ROUTE = "default"
"""The name of the route that takes whatever no other takes; it always exists."""
TEST_ROUTE = "@test"
"""The name of the route of test messages, over all sandbox carriers. Nothing else takes them, and it takes nothing
else: a message in the queue under this name is claimed for sandbox carriers only, or by nobody."""


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

    @property
    def mode(self) -> AccessMode:
        """The mode of its messages."""
        return AccessMode.TEST if self.name == TEST_ROUTE else AccessMode.LIVE

    def takes(self, recipient: str, sender_id: str, priority: Priority) -> bool:
        """Whether a message fits every condition."""
        return (
            (not self.prefixes or recipient.startswith(self.prefixes))
            and (not self.senders or sender_id in self.senders)
            and (not self.priorities or priority in self.priorities)
        )


class Routes:
    """All routes; the first that takes a live message is its own, and test messages have one for themselves."""

    def __init__(self, routes: Sequence[Route], sandboxes: Collection[str] = ()) -> None:
        """`routes`: of live messages. `sandboxes`: the carriers that test messages go to.

        Raises ValueError when names repeat or are taken, a route has no carrier, or the last is not the default one.
        """
        names = [route.name for route in routes]
        if TEST_ROUTE in names:
            raise ValueError(f"the name {TEST_ROUTE!r} is that of the route of test messages; use another one")
        if not names or names[-1] != DEFAULT_ROUTE or len(set(names)) < len(names):
            raise ValueError(f"routes have names of their own and the last is {DEFAULT_ROUTE!r}, got {names}")
        if empty := [route.name for route in routes if not route.legs]:
            raise ValueError(f"routes without a carrier: {', '.join(empty)}")
        last = routes[-1]
        if last.prefixes or last.senders or last.priorities:
            raise ValueError(f"the route {DEFAULT_ROUTE!r} takes every message: remove its conditions")
        self._routes = tuple(routes)
        self.test: Final = Route(TEST_ROUTE, tuple(Leg(name) for name in sandboxes)) if sandboxes else None
        """The route of test messages; None when there is no sandbox carrier."""

    def __iter__(self) -> Iterator[Route]:
        yield from self._routes
        if self.test is not None:
            yield self.test

    def of(self, recipient: str, sender_id: str, priority: Priority) -> Route:
        """The route of a live message."""
        return next(route for route in self._routes if route.takes(recipient, sender_id, priority))


def only_route(carriers: Collection[str], sandboxes: Collection[str] = ()) -> Routes:
    """Every live message to any of the carriers, in equal shares; test messages to the sandboxes."""
    return Routes([default_route(carriers)], sandboxes)


def default_route(carriers: Collection[str]) -> Route:
    """The default route over these carriers, in equal shares."""
    return Route(DEFAULT_ROUTE, tuple(Leg(name) for name in carriers))


def modes_taken(carrier: str, carriers: Collection[str], sandboxes: Collection[str]) -> frozenset[AccessMode]:
    """The modes of the messages that a carrier takes: a sandbox takes live ones only where all are sandboxes.

    Both for a carrier that is none of them: it may have been one of either kind.
    """
    if carrier not in carriers or set(sandboxes) >= set(carriers):
        return frozenset(AccessMode)
    return frozenset({AccessMode.TEST if carrier in sandboxes else AccessMode.LIVE})
