"""The port to somebody who knows the numbering plans of the world."""

from __future__ import annotations

from typing import Final, Protocol

from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError

_SHOWN_AT_START: Final = 6
_SHOWN_AT_END: Final = 2
_HIDDEN_AT_LEAST: Final = 3


class PhoneNumberCheck(Protocol):
    """Says whether an SMS can be addressed to a number."""

    def __call__(self, number: str, /) -> str | None:
        """Say what is wrong with a recipient's number and what would be right; None when it is fine.

        Fine is a number in E.164 exactly (`+`, country code, national number, ASCII digits only, at most
        15 of them, no trunk prefix) that the country's numbering plan has. Every type of number is fine,
        landlines too: in some plans they look like mobiles, some take SMS, and what a plan says of a
        range lags behind its use. The carrier has the last word, and what it refuses is not charged.

        The sentence never holds the whole number, nor any of a value that is not made of digits.
        """
        ...


class AccountDestinationCheck(Protocol):
    """Says whether an account may send messages to the country of a number."""

    async def __call__(self, account_id: str, number: str, /) -> str | None:
        """Say why none may be sent to a number that is fine; None when nothing is known against it.

        What the account forbids itself may be known only when the message is recorded. Never holds the number. Raises
        ServiceError DATABASE_UNAVAILABLE.
        """
        ...


class DestinationCheck(Protocol):
    """Says whether messages may be sent to the country of a number."""

    def __call__(self, number: str, /) -> str | None:
        """Say why none may be sent to a number that is fine; None when one may. Never holds the number."""
        ...


def destination_refused(problem: str) -> ServiceError:
    """The refusal of a recipient in a country that the operator has not allowed."""
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.DESTINATION_NOT_ALLOWED,
        f"{problem}; nothing was stored or charged. Correct the number, or ask the operator to add its country to "
        "those of the account, or to SMS_DESTINATIONS",
    )


def masked(number: str) -> str:
    """Hide the middle of a phone number, for logs and errors.

    Shows the first 6 characters and the last 2 of a full number, and less of a short one, so that at
    least 3 characters, or half of them, stay hidden.
    """
    if len(number) < _SHOWN_AT_START + _SHOWN_AT_END + _HIDDEN_AT_LEAST:
        return f"{number[: len(number) // 2]}…"
    return f"{number[:_SHOWN_AT_START]}…{number[-_SHOWN_AT_END:]}"
