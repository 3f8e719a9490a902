"""Who wants no messages, from whom, and who said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError

OPTED_OUT = reasons.RECIPIENT_OPTED_OUT
"""The reason of a refusal, and the error code of a message that was stopped in the queue."""


class Source(StrEnum):
    """Where the word came from that an entry was made on, or ended on."""

    STOP_KEYWORD = "stop_keyword"
    """The phone wrote a keyword to the sender id."""
    CARRIER = "carrier"
    """The carrier reported the opt-out itself."""
    OPERATOR = "operator"
    """Somebody who runs the system."""
    API = "api"
    """An app or service, for its recipient."""


OF_THE_PHONE = frozenset({Source.STOP_KEYWORD, Source.CARRIER})
"""What the phone's owner said, and may take back by writing a keyword again."""


class Directive(StrEnum):
    """What a message from a phone asks for."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    NONE = "none"
    UNREADABLE = "unreadable"
    """Its text is in no alphabet that is known here: who wrote should be asked what they meant."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which messages an entry stops."""

    phone: str
    """E.164 with its `+`."""
    sender_id: str | None
    """As it was written; None for every sender id."""
    account_id: str | None
    """None for every account that sends under the sender id."""

    def covers(self, phone: str, sender_id: str, account_id: str) -> bool:
        """Whether a message of the account under the sender id to the phone is stopped."""
        return (
            self.phone == phone
            and (self.sender_id is None or sender_key(self.sender_id) == sender_key(sender_id))
            and self.account_id in (None, account_id)
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How an entry ended."""

    at: datetime
    source: Source
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry of the list; kept for good, so that who, when and why can be shown later."""

    id: UUID
    scope: Scope
    source: Source
    reason: str
    created_by: str
    """Who: a person, an app, or the name of the carrier that brought the phone's word."""
    created_at: datetime
    ending: Ending | None
    """None while the entry holds."""


def sender_key(sender_id: str) -> str:
    """Equal for spellings of a sender id that a phone's owner takes for the same sender.

    Carriers bring a number with or without its `+`, and a name in capitals of their own.
    """
    return sender_id.removeprefix("+").lower()


@dataclass(frozen=True, slots=True)
class Exemption:
    """Which messages reach a phone although it opted out, such as one-time codes."""

    tags: frozenset[str] = frozenset()
    """A message with one of these tags, spelled exactly so, is exempt. Empty: none is."""

    def holds_for(self, tags: Iterable[str]) -> bool:
        """Whether a message with these tags is exempt."""
        return bool(self.tags) and not self.tags.isdisjoint(tags)


NOBODY_EXEMPT = Exemption()


def opted_out(sender_id: str, account_id: str) -> ServiceError:
    """The refusal of a message to somebody who wants none."""
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        OPTED_OUT,
        f"the recipient wants no messages from sender id {sender_id}; nothing was stored or charged. Take the number "
        "off your list; it may receive again once its owner writes START to the sender id, or an operator ends "
        "the entry",
        metadata={"sender_id": sender_id, "account": account_id},
    )
