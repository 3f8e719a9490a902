"""One change of a message's state, as it is on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging_service.shared.domain.states import STATUS_OF, State, Status
from service_kit.access.principal import AccessMode


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """A row of the audit trail, without what only operators may see: who acted, and the carrier's raw words."""

    id: int
    """Rises within a message in the order of its events; says nothing across messages."""
    message_id: UUID
    account_id: str
    client_message_id: str
    attempt: int
    """1 for the first, one more with each resend."""
    from_state: State | None
    """None for the first event of a message."""
    to_state: State
    at: datetime
    carrier: str | None
    """None when no carrier had a part in it."""
    next_try_at: datetime | None
    """Only when an attempt was proven not taken and goes on: the earliest time of its next try."""
    code: str | None
    """Of the failure catalogue; None when there is nothing to explain."""
    carrier_error_code: str | None
    """The carrier's own code in the receipt that failed the message; None when it gave none."""
    mode: AccessMode
    """Of its message."""
    trace_id: bytes | None = None
    """The trace and the span that wrote it, as they are stored; None unless the message is sampled."""

    @property
    def status(self) -> Status:
        """The public word for the state from then on."""
        return STATUS_OF[self.to_state]
