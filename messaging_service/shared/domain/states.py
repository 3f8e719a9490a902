"""The life of a message: its exact states, the moves between them, and the public words for them.

The database holds the same states in the constraint `ck_message_state`; a test keeps the two and the
diagram in docs/state-machine.md equal.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The exact state of a message."""

    SCHEDULED = "scheduled"
    """Set at acceptance when the scheduled time lies ahead; waits for it."""
    READY = "ready"
    """Due and waiting for a free slot at a carrier; set at acceptance, at a resend, when an attempt was proven not
    taken, or when one stayed unknown and the account wants another."""
    SUBMITTING = "submitting"
    """Owned by one process under a lease; bytes may be on their way to the carrier."""
    ACCEPTED = "accepted"
    """The carrier took every part."""
    DELIVERED = "delivered"
    """Receipts say that every part reached the phone. Final."""
    REFUSED = "refused"
    """The carrier did not take it. Only a resend moves on."""
    UNDELIVERED = "undelivered"
    """The carrier took it and a receipt says it will not arrive. Only a resend moves on."""
    UNKNOWN = "unknown"
    """It may or may not have reached the carrier. A receipt, an answer that came late or the end of the window moves
    on; where the account wants it, so does a new attempt, once."""
    EXPIRED = "expired"
    """Its time ran out, in the queue or unknown. Only a resend moves on."""
    CANCELLED = "cancelled"
    """Stopped before it was submitted. Final."""


class Status(StrEnum):
    """What became of a message, in the three words of the public contract."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


_S = State

STARTS: frozenset[State] = frozenset({_S.SCHEDULED, _S.READY, _S.SUBMITTING})
"""The states in which a message may be recorded."""

MOVES: dict[State, frozenset[State]] = {
    _S.SCHEDULED: frozenset({_S.SUBMITTING, _S.EXPIRED, _S.CANCELLED}),
    _S.READY: frozenset({_S.SUBMITTING, _S.EXPIRED, _S.CANCELLED}),
    _S.SUBMITTING: frozenset({_S.READY, _S.ACCEPTED, _S.REFUSED, _S.UNKNOWN}),
    _S.ACCEPTED: frozenset({_S.DELIVERED, _S.UNDELIVERED}),
    _S.DELIVERED: frozenset(),
    _S.REFUSED: frozenset({_S.READY}),
    _S.UNDELIVERED: frozenset({_S.READY}),
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED, _S.REFUSED, _S.READY, _S.EXPIRED}),
    _S.EXPIRED: frozenset({_S.READY}),
    _S.CANCELLED: frozenset(),
}
"""Where each state may go next. Receipts only move forward: nothing leads back from DELIVERED."""

STATUS_OF: dict[State, Status] = {
    _S.SCHEDULED: Status.PENDING,
    _S.READY: Status.PENDING,
    _S.SUBMITTING: Status.PENDING,
    _S.UNKNOWN: Status.PENDING,
    _S.ACCEPTED: Status.SENT,
    _S.DELIVERED: Status.SENT,
    _S.REFUSED: Status.FAILED,
    _S.UNDELIVERED: Status.FAILED,
    _S.EXPIRED: Status.FAILED,
    _S.CANCELLED: Status.FAILED,
}

RESENDABLE: frozenset[State] = frozenset({_S.REFUSED, _S.UNDELIVERED, _S.EXPIRED})
"""From where a resend starts a new attempt."""

IN_PROGRESS: frozenset[State] = frozenset({_S.SCHEDULED, _S.READY, _S.SUBMITTING})
"""States in which the dispatcher still has something to do by itself."""


class Billing(StrEnum):
    """What happened to the money of a message's present attempt."""

    HELD = "held"
    """The total is reserved on the account; set at acceptance and at a resend."""
    CHARGED = "charged"
    """The carrier accepted the message and the total was charged."""
    RELEASED = "released"
    """The reservation was given back; nothing is owed."""
    REFUNDED = "refunded"
    """A charge was paid back: by an operator, or because the message was not delivered and the charging
    policy is `delivery`."""


BILLINGS_OF: dict[State, frozenset[Billing]] = {
    _S.SCHEDULED: frozenset({Billing.HELD}),
    _S.READY: frozenset({Billing.HELD}),
    _S.SUBMITTING: frozenset({Billing.HELD}),
    _S.UNKNOWN: frozenset({Billing.HELD}),
    _S.ACCEPTED: frozenset({Billing.CHARGED, Billing.REFUNDED}),
    _S.DELIVERED: frozenset({Billing.CHARGED, Billing.REFUNDED}),
    _S.UNDELIVERED: frozenset({Billing.CHARGED, Billing.REFUNDED}),
    _S.REFUSED: frozenset({Billing.RELEASED}),
    _S.EXPIRED: frozenset({Billing.RELEASED}),
    _S.CANCELLED: frozenset({Billing.RELEASED}),
}
"""What may have happened to the money in each state; the constraint `ck_message_billing_of_state` holds it."""


class Priority(StrEnum):
    """The lane that a message takes."""

    NORMAL = "normal"
    HIGH = "high"
