"""The port to the durable inbox of what phones write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from messaging_service.opt_outs.domain.inbound import InboundMessage


@dataclass(frozen=True, slots=True)
class WorkedInbound:
    """What one pass over the inbox did."""

    looked_at: int
    opted_out: int
    """Messages that asked for no more messages."""
    opted_in: int
    """Messages that took such a word back."""


class InboundInbox(Protocol):
    """Where messages from phones are stored before they are acknowledged to a carrier."""

    async def store(self, messages: Sequence[InboundMessage]) -> None:
        """Stores messages, durably. Raises ServiceError when the database is away."""
        ...

    async def work(self, limit: int) -> WorkedInbound:
        """Applies up to `limit` messages to the suppression list, in the order they were stored; erases their texts."""
        ...

    async def postpone_next(self) -> None:
        """Lets the message that would be worked next wait longer, as working it failed."""
        ...

    async def forget(self, limit: int) -> int:
        """Deletes up to `limit` messages that were kept long enough; how many."""
        ...
