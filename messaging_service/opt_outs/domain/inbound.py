"""What phones send to us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message from a phone to one of our sender ids or short codes, as a carrier brought it."""

    carrier: str
    """Name of the carrier that brought it."""
    phone: str
    """Who wrote, E.164 with its `+`."""
    sender_id: str
    """Whom they wrote to: the sender id or short code under which we send."""
    text: str | None
    """What they wrote; empty when the carrier reports an opt-out without a text, None when it cannot be read."""
    is_opt_out: bool
    """True when the carrier itself says that the phone wants no more messages from the sender id."""
    received_at: datetime
    """UTC, when it reached this process."""
