"""A place in the window of requests, reserved for one message."""

from __future__ import annotations

from collections.abc import Callable


class AfricasTalkingSlot:
    """Serves one submit, at the carrier that gave it."""

    __slots__ = ("_carrier", "_give_back", "_reserved")

    def __init__(self, carrier: object, give_back: Callable[[], None]) -> None:
        """`give_back` is called once when the place is not used."""
        self._carrier = carrier
        self._give_back = give_back
        self._reserved = True

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        if self._reserved:
            self._reserved = False
            self._give_back()

    def spend(self, carrier: object) -> None:
        """Turns the reservation into a submit. Raises ValueError for a slot without one."""
        if not self._reserved or self._carrier is not carrier:
            raise ValueError("a slot serves one submit, at the carrier that gave it")
        self._reserved = False
