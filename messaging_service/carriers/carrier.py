"""The port to a carrier."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from messaging_service.carriers.domain.carrier_status import CarrierStatus
from messaging_service.carriers.domain.submission import DeliveryReceipt, LateOutcome, Outcome, Submission
from messaging_service.opt_outs.domain.inbound import InboundMessage

ReceiptSink = Callable[[Sequence[DeliveryReceipt]], Awaitable[None]]
"""Stores receipts durably; a carrier acknowledges a receipt only after this returned. When it raises,
the receipt is answered with a temporary error so that the carrier brings it again."""

InboundSink = Callable[[Sequence[InboundMessage]], Awaitable[None]]
"""Stores what phones wrote, durably; the rule of acknowledgement is that of receipts."""

LateOutcomeSink = Callable[[Sequence[LateOutcome]], Awaitable[None]]
"""Records outcomes that arrived after their submits were called UNKNOWN. May raise ServiceError; a late
outcome is a help, not a promise, so the carrier need not bring it again."""


@dataclass(frozen=True, slots=True)
class CarrierSinks:
    """Where a carrier puts what comes back."""

    receipts: ReceiptSink
    inbound: InboundSink
    late_outcomes: LateOutcomeSink


class Slot(Protocol):
    """A place in a carrier's window, reserved for one message before its record is committed."""

    def release(self) -> None:
        """Gives the place back unused. Harmless after a submit or a second time."""
        ...


class Carrier(Protocol):
    """Somebody who takes messages to phones."""

    @property
    def name(self) -> str:
        """Stable name, for records and metrics."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether at least one bind can take messages now."""
        ...

    @property
    def free_slots(self) -> int:
        """How many reservations would succeed now."""
        ...

    def try_reserve(self) -> Slot | None:
        """A place in the window, or None when it is full or the carrier is not up."""
        ...

    async def wait_until_up(self, timeout_s: float) -> bool:
        """True as soon as `is_up`; False when it did not come up in time."""
        ...

    def on_slot_free(self, listener: Callable[[], None]) -> None:
        """Registers a callback, run on the event loop whenever a place becomes free or a bind comes up."""
        ...

    def status(self) -> CarrierStatus:
        """How it stands now."""
        ...

    async def submit(self, slot: Slot, submission: Submission) -> Outcome:
        """Hands over one message, using up the slot. Never raises for what a carrier or the network does.

        The parts of a message go one after another through its slot, so that the refusal of the first
        stops the rest. A part that is refused after another was accepted makes the message REFUSED with
        code `PARTIALLY_SENT`; a part without an answer makes it UNKNOWN.
        """
        ...
