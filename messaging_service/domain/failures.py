"""The catalogue of reasons why a message failed: stable codes with plain-language help."""

from __future__ import annotations

from types import MappingProxyType

CATALOGUE = MappingProxyType(
    {
        "INVALID_RECIPIENT": (
            "The carrier does not accept this phone number. Check the number; a resend will fail again "
            "unless the carrier changes."
        ),
        "INVALID_SENDER": (
            "The carrier does not accept this sender id. Register the sender id with the carrier, or "
            "use one that is registered, then resend."
        ),
        "MESSAGE_TOO_LONG": ("The carrier does not take a message of this length. Shorten the text and send it anew."),
        "REJECTED_BY_CARRIER": (
            "The carrier refused the message. Resend once; when it fails again, ask the carrier with "
            "the time and the message id."
        ),
        "PARTIALLY_SENT": (
            "The carrier took some parts of the message and refused a later one, so the phone shows "
            "nothing or a fragment. A resend sends all parts again."
        ),
        "CARRIER_BUSY": (
            "The carrier asked to send more slowly and the message did not get through in time. Resend later."
        ),
        "CARRIER_THROTTLED": (
            "The carrier asked to send more slowly, so the message waits in the queue for its next attempt."
        ),
        "CARRIER_UNAVAILABLE": ("No carrier could be reached before the message's time ran out. Resend later."),
        "CARRIER_NO_ANSWER": (
            "The carrier did not answer, so the message may or may not have been sent. It is not sent "
            "again by itself; a delivery receipt or the end of the waiting time decides."
        ),
        "OUTCOME_UNKNOWN": (
            "The process that was sending stopped before it recorded the carrier's answer, so the "
            "message may or may not have been sent. A delivery receipt or the end of the waiting time "
            "decides."
        ),
        "NO_OUTCOME_IN_TIME": (
            "No delivery receipt came within the waiting time; whether the message was sent is not "
            "known, and it was not charged. Resend if a second copy does no harm."
        ),
        "NOT_DELIVERED": (
            "The carrier took the message and reported that it did not reach the phone: it may be off, "
            "out of coverage, or blocked. Resend later."
        ),
        "DELIVERY_EXPIRED": (
            "The carrier tried until the message's time ran out; the phone was off or out of coverage. Resend later."
        ),
        "REJECTED_AFTER_ACCEPTANCE": (
            "The carrier took the message and rejected it later. Resend once; when it fails again, ask "
            "the carrier with the time and the message id."
        ),
        "CANCELLED": ("The message was cancelled before it was submitted."),
    }
)
"""Code to explanation, as shown in errorDetails. Codes are never renamed."""


def explain(code: str) -> str:
    """The plain-language text of a code; a code that is not in the catalogue explains itself as such."""
    return CATALOGUE.get(code, f"The carrier reported {code}. Ask the carrier with the time and the message id.")
