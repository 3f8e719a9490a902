"""What an outcome or a receipt does to a message and its money."""

from __future__ import annotations

from collections.abc import Sequence

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, ReceiptState
from messaging_service.shared.domain.states import Billing, State

SETTLEMENT_OF: dict[OutcomeKind, tuple[State, Billing]] = {
    OutcomeKind.ACCEPTED: (State.ACCEPTED, Billing.CHARGED),
    OutcomeKind.REFUSED: (State.REFUSED, Billing.RELEASED),
    OutcomeKind.NOT_TAKEN: (State.READY, Billing.HELD),
    OutcomeKind.UNKNOWN: (State.UNKNOWN, Billing.HELD),
}
"""A carrier's acceptance is charged, a refusal is not, and an open outcome keeps its hold."""


LEAVES_QUEUE = (State.ACCEPTED, State.REFUSED)
"""What a settlement makes of a message that the queue is done with; the others stay in it."""


def settlement_of(outcome: Outcome, *, has_another: bool) -> tuple[State, Billing]:
    """What an outcome makes of its message; `has_another`: whether another carrier is left to be asked."""
    if outcome.kind is OutcomeKind.NOT_TAKEN and outcome.only_elsewhere and not has_another:
        return SETTLEMENT_OF[OutcomeKind.REFUSED]
    return SETTLEMENT_OF[outcome.kind]


FAILED_RECEIPTS: dict[ReceiptState, str] = {
    ReceiptState.UNDELIVERABLE: "NOT_DELIVERED",
    ReceiptState.EXPIRED: "DELIVERY_EXPIRED",
    ReceiptState.DELETED: "REJECTED_AFTER_ACCEPTANCE",
    ReceiptState.REJECTED: "REJECTED_AFTER_ACCEPTANCE",
}
"""Receipts that end a part badly, with the code of the failure."""

_FINAL = frozenset({ReceiptState.DELIVERED, *FAILED_RECEIPTS})


def part_after(present: ReceiptState, reported: ReceiptState) -> ReceiptState:
    """The state of a part after a receipt: only forward, and the first final word stands."""
    if present in _FINAL or reported not in _FINAL:
        return present
    return reported


SHARED_ID_DOUBT_S = 60.0
"""Seconds for which "delivered" waits for another word when its id is that of several parts: which part it means is
not said, and the worst word about them counts."""


def is_in_doubt(reported: ReceiptState, *, sharing: int, delivered: int, age_s: float) -> bool:
    """Whether a report waits, because its id is that of `sharing` parts and it may not be the last about them.

    `delivered` counts the reports of a delivery that came for the id in the last SHARED_ID_DOUBT_S, this one
    included; as many as there are parts leave no doubt. `age_s` is how long ago it came.
    """
    return reported is ReceiptState.DELIVERED and sharing > 1 and delivered < sharing and age_s < SHARED_ID_DOUBT_S


def state_after(present: State, parts: Sequence[ReceiptState], units: int) -> State:
    """The state of a message whose parts are in these states; `present` when nothing changes it.

    One failed part fails the message, and all parts delivered deliver it. A message whose outcome was
    unknown moves only once every part is known to have been taken: the process may have died between two
    parts, and a fragment is not a message.
    """
    if present is State.UNKNOWN and len(parts) < units:
        return present
    if present not in (State.ACCEPTED, State.UNKNOWN):
        return present
    if any(part in FAILED_RECEIPTS for part in parts):
        return State.UNDELIVERED
    if len(parts) == units and all(part is ReceiptState.DELIVERED for part in parts):
        return State.DELIVERED
    return State.ACCEPTED
