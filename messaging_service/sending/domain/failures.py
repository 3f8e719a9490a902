"""The catalogue of reasons why a message failed, or waits: stable codes with plain-language help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Resend(StrEnum):
    """Whether a resend of the entry makes sense."""

    NOW = "now"
    """It may get through at once."""
    LATER = "later"
    """Only after something has changed: time has passed, or what the advice asks for is done."""
    NEVER = "never"
    """It will fail again, or is refused; send a new message instead."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What one code stands for."""

    code: str
    """Stable; never renamed."""
    meaning: str
    """What happened, in plain language."""
    advice: str
    """What to do about it."""
    resend: Resend

    @property
    def details(self) -> str:
        """What errorDetails shows."""
        return f"{self.meaning} {self.advice}"


_ASK_THE_CARRIER = "Resend once; when it fails again, ask the carrier with the time and the message id."

_FAILURES = (
    Failure(
        "INVALID_RECIPIENT",
        "The carrier does not accept this phone number.",
        "Check the number and send a new message to the right one.",
        Resend.NEVER,
    ),
    Failure(
        "INVALID_SENDER",
        "The carrier does not accept this sender id.",
        "Register the sender id with the carrier and resend, or send anew with one that is registered.",
        Resend.LATER,
    ),
    Failure(
        "MESSAGE_TOO_LONG",
        "The carrier does not take a message of this length.",
        "Shorten the text and send it anew.",
        Resend.NEVER,
    ),
    Failure("REJECTED_BY_CARRIER", "The carrier refused the message.", _ASK_THE_CARRIER, Resend.NOW),
    Failure(
        "PARTIALLY_SENT",
        "The carrier took some parts of the message and refused a later one, so the phone shows nothing or a fragment.",
        "A resend sends all parts again.",
        Resend.NOW,
    ),
    Failure(
        "CARRIER_BUSY",
        "The carrier was too busy to take the message.",
        "While it is pending it is tried again by itself; once it has failed, resend later.",
        Resend.LATER,
    ),
    Failure(
        "CARRIER_THROTTLED",
        "The carrier asked to send more slowly, so the message had to wait.",
        "While it is pending it is tried again by itself; once it has failed, resend later.",
        Resend.LATER,
    ),
    Failure(
        "CARRIER_UNAVAILABLE",
        "No carrier could be reached.",
        "While the message is pending it is tried again by itself; once it has failed, resend later.",
        Resend.LATER,
    ),
    Failure(
        "LEASE_OVER",
        "The process that was to send the message was too slow to do so safely, so nothing left.",
        "While it is pending it is tried again by itself; once it has failed, resend later.",
        Resend.LATER,
    ),
    Failure(
        "KEYS_UNAVAILABLE",
        "The key of the text could not be had, so nothing left.",
        "While it is pending it is tried again by itself; once it has failed, resend later.",
        Resend.LATER,
    ),
    Failure(
        "TEXT_ERASED",
        "The text was erased before it was sent.",
        "Send a new message instead.",
        Resend.NEVER,
    ),
    Failure(
        "CARRIER_NO_ANSWER",
        "The carrier did not answer, so the message may or may not have been sent.",
        "Wait: a delivery receipt or the end of the waiting time decides.",
        Resend.LATER,
    ),
    Failure(
        "OUTCOME_UNKNOWN",
        "The process that was sending stopped before it recorded the carrier's answer, so the message may or may not "
        "have been sent.",
        "Wait: a delivery receipt or the end of the waiting time decides.",
        Resend.LATER,
    ),
    Failure(
        "UNKNOWN_RESENT",
        "It stayed unknown whether the message was sent, and the account has such messages sent again, so a second "
        "copy may arrive.",
        "Nothing is to be done.",
        Resend.LATER,
    ),
    Failure(
        "NO_OUTCOME_IN_TIME",
        "No delivery receipt came within the waiting time; whether the message was sent is not known, and it was not "
        "charged.",
        "Resend if a second copy does no harm.",
        Resend.NOW,
    ),
    Failure(
        "VALIDITY_OVER",
        "The time until which the message was wanted ran out before a carrier took it.",
        "Send a new message; this one would arrive too late.",
        Resend.NEVER,
    ),
    Failure(
        "CARRIER_UNCLEAR",
        "The carrier's answer does not tell whether it took the message, so it may or may not have been sent.",
        "Wait: a delivery receipt or the end of the waiting time decides.",
        Resend.LATER,
    ),
    Failure(
        "CARRIER_ON_HOLD",
        "The carrier keeps the message until it has looked at it for risks, and may still send it.",
        "Wait: a delivery receipt or the end of the waiting time decides. When it happens often, ask the carrier.",
        Resend.LATER,
    ),
    Failure(
        "CARRIER_ACCOUNT_REFUSED",
        "The carrier does not accept the account that we send with, so it took nothing.",
        "Nothing is wrong with the message: resend it once the operator has put the account in order.",
        Resend.LATER,
    ),
    Failure(
        "CARRIER_OUT_OF_FUNDS",
        "Our own account at the carrier is used up, so it took nothing.",
        "While the message is pending it is tried again by itself; once it has failed, resend it after the operator "
        "has topped the account up.",
        Resend.LATER,
    ),
    Failure(
        "UNSUPPORTED_NUMBER",
        "The carrier does not send to this kind of number, for instance a landline.",
        "Send a new message to a mobile number.",
        Resend.NEVER,
    ),
    Failure(
        "OPTED_OUT_AT_CARRIER",
        "The phone's owner asked the carrier for no more messages from this sender id.",
        "Take the number off your list; only the phone's owner can change it.",
        Resend.NEVER,
    ),
    Failure(
        "DO_NOT_DISTURB",
        "The phone's owner has asked the network for no messages of this kind.",
        "Take the number off your list, or ask the carrier how to register the sender id for wanted services.",
        Resend.NEVER,
    ),
    Failure(
        "NO_ROUTE",
        "No carrier has a way to the phone's network.",
        "Check the number; resend later, when a carrier may have one.",
        Resend.LATER,
    ),
    Failure(
        "NOT_DELIVERED",
        "The carrier took the message and reported that it did not reach the phone: it may be off, out of coverage, "
        "or blocked.",
        "Resend later.",
        Resend.LATER,
    ),
    Failure(
        "DELIVERY_EXPIRED",
        "The carrier tried until the message's time ran out; the phone was off or out of coverage.",
        "Resend later.",
        Resend.LATER,
    ),
    Failure(
        "REJECTED_AFTER_ACCEPTANCE",
        "The carrier took the message and rejected it later.",
        _ASK_THE_CARRIER,
        Resend.NOW,
    ),
    Failure(
        "CANCELLED",
        "The message was cancelled before it was submitted.",
        "Send a new message if it is wanted after all.",
        Resend.NEVER,
    ),
    Failure(
        "RECIPIENT_OPTED_OUT",
        "The recipient asked for no more messages from this sender id while the message waited, so it was cancelled "
        "and not charged.",
        "Take the number off your list.",
        Resend.NEVER,
    ),
)

CATALOGUE = MappingProxyType({failure.code: failure for failure in _FAILURES})
"""By code. Codes are never renamed."""


def failure_of(code: str) -> Failure:
    """The entry of a code; a code that is not in the catalogue explains itself as such."""
    return CATALOGUE.get(code) or Failure(
        code,
        f"The carrier reported {code}.",
        "Ask the carrier with the time and the message id.",
        Resend.LATER,
    )
