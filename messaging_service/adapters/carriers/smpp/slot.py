"""A place that is promised before it is known by which bind the message goes."""

from __future__ import annotations

from typing import Protocol


class Reservations(Protocol):
    """Who gives slots out."""

    def unreserve(self) -> None:
        """A slot was given back unused."""
        ...


class SmppSlot:
    """A place in the window of one of the carrier's binds; which one is decided at the submit."""

    __slots__ = ("_carrier", "_reserved")

    def __init__(self, carrier: Reservations) -> None:
        self._carrier = carrier
        self._reserved = True

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        if self._reserved:
            self._reserved = False
            self._carrier.unreserve()

    def spend(self, carrier: Reservations) -> None:
        """Turns the reservation into a submit. Raises ValueError for a slot without one."""
        if not self._reserved or self._carrier is not carrier:
            raise ValueError("a slot serves one submit, at the carrier that gave it")
        self._reserved = False
