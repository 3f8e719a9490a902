"""How a carrier stands at one moment, for operators and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class BindState(StrEnum):
    """What a bind is doing."""

    UP = "up"
    """Bound; takes messages."""
    CONNECTING = "connecting"
    """A connection or a bind is being made."""
    WAITING = "waiting"
    """Waits before the next try, as the last one failed."""
    UNLEASED = "unleased"
    """Another replica holds the right to this bind."""
    STOPPED = "stopped"
    """Not wanted now."""


@dataclass(frozen=True, slots=True)
class BindStatus:
    """One bind, or for a carrier without binds its pool of connections."""

    number: int
    """From 1, unique within the carrier in this process."""
    state: BindState
    window: int
    """Submits that may be in flight; less than the setting while the carrier throttles."""
    in_use: int
    """Places of the window that are taken."""
    last_error: str | None
    """Why it is not up, or was not the last time; None when it never failed."""
    is_throttled: bool = False
    """Whether the carrier asked for a slower pace, and the window has not grown back since."""


@dataclass(frozen=True, slots=True)
class CarrierStatus:
    """A carrier as this process sees it."""

    name: str
    kind: str
    """`smpp` or `africastalking`."""
    is_up: bool
    window: int
    """Of all binds that are up."""
    in_use: int
    binds: tuple[BindStatus, ...]
    remark: str | None
    """What an operator should know, for instance that the carrier's own balance is used up; None for nothing."""
    balance: Decimal | None = None
    """What our own account at the carrier holds, KES, when it was last looked at; None where it does not say."""
