"""The magic numbers and words: what the sandbox does with a message, as a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Manner(Enum):
    """How a request is answered."""

    PLAINLY = "plainly"
    SLOWLY = "slowly"
    """After a while."""
    NEVER = "never"
    CUT = "cut"
    """The connection is closed in the place of an answer."""
    HALF = "half"
    """The connection is closed in the middle of the answer."""
    DRIPPING = "dripping"
    """A byte now and then, without an end."""
    GARBAGE = "garbage"
    """The answer is no JSON."""
    HUGE = "huge"
    """The answer has megabytes."""
    WRONG_NUMBER = "wrong number"
    """The answer is about another phone."""
    NO_RECIPIENTS = "no recipients"
    """The request is refused as a whole."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What becomes of a message."""

    name: str
    """Stable; `[sandbox:name]` anywhere in a text asks for it."""
    number: str
    """The phone that asks for it, as digits with the country code."""
    effect: str
    """For the guide."""
    code: int = 101
    """The statusCode of the recipient."""
    http_status: int = 201
    takes: bool = True
    """Whether the message goes to the phone, whatever the answer says."""
    manner: Manner = Manner.PLAINLY
    times: int | None = None
    """How often the same message meets it before it is taken; None for always."""
    reports: tuple[str, ...] = ("Success",)
    """The statuses that are reported of a message that was taken, in order."""
    failure_reason: str = ""
    reports_first: bool = False
    """Whether the report comes before the answer."""


NORMAL: Final = Behaviour("normal", "", "taken; a report says Success")


_ROWS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("processed", "statusCode 100, taken", {"code": 100}),
    ("queued", "statusCode 102, taken", {"code": 102}),
    ("risk-hold", "statusCode 401, kept by the carrier, no report", {"code": 401, "takes": False}),
    ("bad-sender", "statusCode 402, refused", {"code": 402, "takes": False}),
    ("bad-number", "statusCode 403, refused", {"code": 403, "takes": False}),
    ("landline", "statusCode 404, refused", {"code": 404, "takes": False}),
    ("no-money", "statusCode 405, not taken", {"code": 405, "takes": False}),
    ("opted-out", "statusCode 406, refused", {"code": 406, "takes": False}),
    ("no-route", "statusCode 407, not taken", {"code": 407, "takes": False}),
    ("do-not-disturb", "statusCode 409, refused", {"code": 409, "takes": False}),
    ("server-error", "statusCode 500, not taken", {"code": 500, "takes": False}),
    ("gateway-error", "statusCode 501, taken all the same", {"code": 501}),
    ("rejected", "statusCode 502, not taken", {"code": 502, "takes": False}),
    ("odd-code", "statusCode 999, taken", {"code": 999}),
    ("no-recipients", "no recipients, InvalidSenderId", {"manner": Manner.NO_RECIPIENTS, "takes": False}),
    ("throttle", "HTTP 429 for the first 3 tries of each message, then taken", {"http_status": 429, "times": 3}),
    ("http-500", "HTTP 500, not taken", {"http_status": 500, "takes": False}),
    ("http-502", "HTTP 502, taken all the same", {"http_status": 502}),
    ("garbage", "taken, and an answer that is no JSON", {"manner": Manner.GARBAGE}),
    ("huge", "taken, and an answer of megabytes", {"manner": Manner.HUGE}),
    ("wrong-number", "taken, and an answer about another phone", {"manner": Manner.WRONG_NUMBER}),
    ("drop-before", "not taken, the connection is closed", {"manner": Manner.CUT, "takes": False}),
    ("drop-after", "taken, the connection is closed in the place of an answer", {"manner": Manner.CUT}),
    ("half", "taken, the connection is closed in mid-answer", {"manner": Manner.HALF}),
    ("silent", "not taken and never answered", {"manner": Manner.NEVER, "takes": False}),
    ("slow", "taken; the answer comes after 2 s", {"manner": Manner.SLOWLY}),
    ("drip", "taken; the answer comes byte by byte and never ends", {"manner": Manner.DRIPPING}),
    (
        "failed",
        "taken; reports say Sent, then Failed",
        {"reports": ("Sent", "Failed"), "failure_reason": "UserInactive"},
    ),
    ("expired", "taken; a report says Expired", {"reports": ("Expired",)}),
    ("rejected-late", "taken; a report says Rejected", {"reports": ("Rejected",), "failure_reason": "GatewayError"}),
    ("absent", "taken; a report says AbsentSubscriber", {"reports": ("AbsentSubscriber",)}),
    ("no-report", "taken, but no report ever comes", {"reports": ()}),
    ("twice", "taken; the same report comes twice", {"reports": ("Success", "Success")}),
    ("early-report", "taken; the report comes before the answer", {"reports_first": True}),
    ("odd-report", "taken; a report says Teleported", {"reports": ("Teleported",)}),
    (
        "buffered",
        "taken; reports say Submitted, Buffered, then Success",
        {"reports": ("Submitted", "Buffered", "Success")},
    ),
    (
        "opted-out-late",
        "taken; a report says Failed, UserInBlacklist",
        {"reports": ("Failed",), "failure_reason": "UserInBlacklist"},
    ),
    (
        "bad-number-late",
        "taken; a report says Rejected, InvalidPhoneNumber",
        {"reports": ("Rejected",), "failure_reason": "InvalidPhoneNumber"},
    ),
    ("filtered", "HTTP 403 with a page of a filter, not taken", {"http_status": 403, "takes": False}),
)

BEHAVIOURS: Final = tuple(
    Behaviour(name, f"254700000{100 + place}", effect, **changes)
    for place, (name, effect, changes) in enumerate(_ROWS, start=1)
)
"""In the order of their numbers, from +254700000101 on."""

_BY_NUMBER: Final = {behaviour.number: behaviour for behaviour in BEHAVIOURS}
_BY_NAME: Final = {behaviour.name: behaviour for behaviour in (NORMAL, *BEHAVIOURS)}
_PATTERN: Final = re.compile(r"\[sandbox:([a-z0-9-]+)\]")


def behaviour_of(digits: str, text: str) -> Behaviour:
    """What the phone asks for, or else the first marker of the text; NORMAL without either."""
    behaviour = _BY_NUMBER.get(digits)
    if behaviour is None and (match := _PATTERN.search(text)) is not None:
        behaviour = _BY_NAME.get(match[1])
    return behaviour or NORMAL


def behaviour_named(name: str) -> Behaviour | None:
    """The behaviour of a name; None when there is none."""
    return _BY_NAME.get(name)
