"""The carrier's catalogue of results: what each one means for a message.

Numbers and names are those of the carrier's bulk messaging API. A result that is not in the table is
unknown: taking it for a refusal could have a text sent again that the carrier had kept, and taking it for
an acceptance could charge for one that it had not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from messaging_service.carriers.domain.submission import OutcomeKind


class Consequence(Enum):
    """What a result means for the messages after it."""

    NONE = "none"
    OUT_OF_FUNDS = "the account's balance is used up"
    ACCOUNT_REFUSED = "the carrier refuses the account"
    SLOW_DOWN = "the carrier asks to send more slowly"
    FILTERED = "something before the carrier refuses requests"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a result means."""

    kind: OutcomeKind
    code: str | None
    """Stable code, explained by the catalogue of failures; None when accepted."""
    only_elsewhere: bool = False
    consequence: Consequence = Consequence.NONE


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the carrier's table."""

    number: int
    name: str
    meaning: Meaning


_ACCEPTED = Meaning(OutcomeKind.ACCEPTED, None)
UNCLEAR: Final = Meaning(OutcomeKind.UNKNOWN, "CARRIER_UNCLEAR")
"""There is an answer, and it does not tell whether the message was taken."""
REJECTED: Final = Meaning(OutcomeKind.REFUSED, "REJECTED_BY_CARRIER")
ACCOUNT_REFUSED: Final = Meaning(
    OutcomeKind.NOT_TAKEN, "CARRIER_ACCOUNT_REFUSED", only_elsewhere=True, consequence=Consequence.ACCOUNT_REFUSED
)
FILTERED: Final = Meaning(
    OutcomeKind.NOT_TAKEN, "REJECTED_BY_CARRIER", only_elsewhere=True, consequence=Consequence.FILTERED
)
"""A page in the place of the API's answer, for instance of a filter that dislikes the text."""
THROTTLED: Final = Meaning(OutcomeKind.NOT_TAKEN, "CARRIER_THROTTLED", consequence=Consequence.SLOW_DOWN)


def _refused(code: str) -> Meaning:
    return Meaning(OutcomeKind.REFUSED, code)


RESULTS: Final = (
    Result(100, "Processed", _ACCEPTED),
    Result(101, "Sent", _ACCEPTED),
    Result(102, "Queued", _ACCEPTED),
    # Kept by the carrier until somebody there has looked at it: it may still go out.
    Result(401, "RiskHold", Meaning(OutcomeKind.UNKNOWN, "CARRIER_ON_HOLD")),
    Result(402, "InvalidSenderId", _refused("INVALID_SENDER")),
    Result(403, "InvalidPhoneNumber", _refused("INVALID_RECIPIENT")),
    Result(404, "UnsupportedNumberType", _refused("UNSUPPORTED_NUMBER")),
    Result(
        405,
        "InsufficientBalance",
        Meaning(OutcomeKind.NOT_TAKEN, "CARRIER_OUT_OF_FUNDS", consequence=Consequence.OUT_OF_FUNDS),
    ),
    Result(406, "UserInBlacklist", _refused("OPTED_OUT_AT_CARRIER")),
    Result(407, "CouldNotRoute", Meaning(OutcomeKind.NOT_TAKEN, "NO_ROUTE", only_elsewhere=True)),
    Result(409, "DoNotDisturbRejection", _refused("DO_NOT_DISTURB")),
    Result(500, "InternalServerError", UNCLEAR),
    Result(501, "GatewayError", UNCLEAR),
    Result(502, "RejectedByGateway", Meaning(OutcomeKind.NOT_TAKEN, "REJECTED_BY_CARRIER", only_elsewhere=True)),
)

_BY_NUMBER: Final = MappingProxyType({result.number: result.meaning for result in RESULTS})
KNOWN_WORDS: Final = frozenset({"success", *(result.name.lower() for result in RESULTS)})
"""What the carrier calls its results, in lower case."""
_BY_NAME: Final = MappingProxyType(
    {"success": _ACCEPTED, **{result.name.lower(): result.meaning for result in RESULTS}}
)

REPORTED_FAILURES: Final = MappingProxyType(
    {
        "userinblacklist": "OPTED_OUT_AT_CARRIER",
        "invalidphonenumber": "INVALID_RECIPIENT",
        "userdoesnotexist": "INVALID_RECIPIENT",
        "unsupportednumbertype": "UNSUPPORTED_NUMBER",
        "donotdisturbrejection": "DO_NOT_DISTURB",
    }
)
"""Reasons of delivery reports, in lower case, that stay true however often the message is sent; the codes are those of
the same results in an answer."""


def meaning_of_code(number: int) -> Meaning:
    """What the statusCode of a recipient means."""
    return _BY_NUMBER.get(number, UNCLEAR)


def meaning_of_name(name: str) -> Meaning | None:
    """What the name of a result means, in any case; None for one that is not in the table."""
    return _BY_NAME.get(name.strip().lower())


def meaning_of_http(status: int, *, is_of_api: bool = True) -> Meaning:
    """What an HTTP status other than success means; `is_of_api`: whether the API itself may have answered.

    A client error says that the request was not carried out. 401, 403 and 404 blame the account or the base
    URL, not the message; a 403 of somebody else may blame the message. A server error, and a redirect, may have come
    after the message was taken.
    """
    if status == HTTPStatus.FORBIDDEN and not is_of_api:
        return FILTERED
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return ACCOUNT_REFUSED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return THROTTLED
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return Meaning(OutcomeKind.NOT_TAKEN, "CARRIER_BUSY")
    if 400 <= status < 500:
        return REJECTED
    return UNCLEAR
