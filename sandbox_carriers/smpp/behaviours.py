"""The magic numbers and words: what the sandbox does with a message, as a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from messaging_service.carriers.smpp.codec.status import OK, Status


@dataclass(frozen=True, slots=True)
class ReceiptPlan:
    """The receipt that follows an accepted part."""

    state: int
    """The value of message_state, SMPP 3.4 section 5.2.28."""
    word: str
    """The same in the receipt's text."""
    error: int = 0
    """Network error code; 0 is none."""
    copies: int = 1
    before_answer: bool = False
    """Whether it is sent ahead of the submit's own answer."""


DELIVERED: Final = ReceiptPlan(2, "DELIVRD")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What becomes of a submit."""

    name: str
    """Stable; `[sandbox:name]` anywhere in a text asks for it."""
    number: str
    """The phone that asks for it, as digits with the country code."""
    effect: str
    """For the guide and the page."""
    status: int = OK
    """How the submit is answered while it is refused."""
    refusals: int | None = None
    """How often the same message is refused before it is taken; None for always."""
    answers: bool = True
    """Whether the submit is answered at all."""
    takes: bool = True
    """Whether a submit that is not answered was taken all the same."""
    cuts_link: bool = False
    """Whether the link is cut in the place of an answer."""
    is_slow: bool = False
    receipt: ReceiptPlan | None = DELIVERED

    @property
    def reaches_phone(self) -> bool:
        """Whether a message that is taken ends on the phone."""
        return self.receipt is None or self.receipt.state == DELIVERED.state


NORMAL: Final = Behaviour("normal", "", "is taken; a receipt says delivered")

BEHAVIOURS: Final = (
    Behaviour(
        "refuse",
        "254700000001",
        "refused for ever: ESME_RINVDSTADR, invalid destination",
        status=Status.ESME_RINVDSTADR,
    ),
    Behaviour(
        "reject",
        "254700000002",
        "refused for ever: ESME_RSUBMITFAIL, no reason given",
        status=Status.ESME_RSUBMITFAIL,
    ),
    Behaviour(
        "throttle",
        "254700000003",
        "ESME_RTHROTTLED for the first 3 submits of each message, then taken",
        status=Status.ESME_RTHROTTLED,
        refusals=3,
    ),
    Behaviour(
        "queue-full",
        "254700000004",
        "ESME_RMSGQFUL for the first 3 submits of each message, then taken",
        status=Status.ESME_RMSGQFUL,
        refusals=3,
    ),
    Behaviour(
        "busy",
        "254700000005",
        "ESME_RSYSERR always: never taken, and always worth another try",
        status=Status.ESME_RSYSERR,
    ),
    Behaviour("silent", "254700000006", "not taken and never answered", answers=False, takes=False),
    Behaviour("no-receipt", "254700000007", "taken, but no receipt ever comes", receipt=None),
    Behaviour(
        "undelivered",
        "254700000008",
        "taken; a receipt says UNDELIV, network error 27 (absent subscriber)",
        receipt=ReceiptPlan(5, "UNDELIV", error=27),
    ),
    Behaviour(
        "expired",
        "254700000009",
        "taken; a receipt says EXPIRED",
        receipt=ReceiptPlan(3, "EXPIRED", error=8),
    ),
    Behaviour(
        "rejected",
        "254700000010",
        "taken; a receipt says REJECTD",
        receipt=ReceiptPlan(8, "REJECTD", error=11),
    ),
    Behaviour("slow", "254700000011", "taken; the answer comes after 2 s", is_slow=True),
    Behaviour(
        "drop",
        "254700000012",
        "taken, but the link is cut before the answer; the receipt comes after the next bind",
        answers=False,
        cuts_link=True,
    ),
    Behaviour(
        "early-receipt",
        "254700000013",
        "taken; the receipt comes before the answer",
        receipt=ReceiptPlan(2, "DELIVRD", before_answer=True),
    ),
    Behaviour(
        "twice",
        "254700000014",
        "taken; the same receipt comes twice",
        receipt=ReceiptPlan(2, "DELIVRD", copies=2),
    ),
)

_BY_NUMBER: Final = {behaviour.number: behaviour for behaviour in BEHAVIOURS}
_BY_NAME: Final = {behaviour.name: behaviour for behaviour in (NORMAL, *BEHAVIOURS)}
_MARKER: Final = "[sandbox:"
_PATTERN: Final = re.compile(r"\[sandbox:([a-z-]+)\]")

MARKERS: Final = (b"sandbox:", _MARKER[1:].encode("utf-16-be"))
"""How the marker looks on the wire, so that most texts need not be decoded to look for it. Without its
bracket, which is an escape pair in GSM-7."""


def behaviour_of_number(digits: str) -> Behaviour | None:
    """What this phone asks for; None for a phone that is nothing special."""
    return _BY_NUMBER.get(digits)


def behaviour_in_text(text: str) -> Behaviour | None:
    """What the first `[sandbox:name]` of the text asks for; None without one, or with an unknown name."""
    match = _PATTERN.search(text)
    return _BY_NAME.get(match[1]) if match else None
