"""Reads the carrier's answer to a message, and its answer about the account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from messaging_service.carriers.africastalking.results import (
    KNOWN_WORDS,
    REJECTED,
    UNCLEAR,
    Meaning,
    meaning_of_code,
    meaning_of_http,
    meaning_of_name,
)
from messaging_service.carriers.domain.submission import OutcomeKind

MAX_PARTS: Final = 255
"""More parts than a message can have is no count of parts."""

_CURRENCY: Final = "KES"
_DECIMALS: Final = 6
_MOST: Final = Decimal(10) ** 9
MOST_OF_ONE: Final = Decimal(10_000)
"""KES; more than that is no price of a message."""
_NO_ID: Final = frozenset({"", "none", "null"})
_LONGEST_AMOUNT: Final = 40
_AMOUNT: Final = re.compile(rf"(?:{_CURRENCY}\s*)?(?P<number>-?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?)")
_SAFE_WORDS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,:/_-]{0,79}")
_SAFE_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_SENT_TO: Final = re.compile(r"sent to (?P<taken>\d+)/\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the carrier answered about one message."""

    meaning: Meaning
    raw: str
    """Its own words, as far as they cannot hold the message."""
    message_id: str | None = None
    """None when it gave none."""
    cost: Decimal | None = None
    """KES; None when it did not say, or not in KES."""
    parts: int | None = None
    """None when it did not say."""


def read_answer(status: int, body: bytes, *, recipient: str, text: str) -> Answer:
    """The answer to a request with one recipient (E.164 with `+`). Never raises: what cannot be read is unclear.

    `text` is only looked for, so that nothing of it gets into the audit trail.
    """
    if not 200 <= status < 300:
        return Answer(meaning_of_http(status, is_of_api=isinstance(_decoded(body), Mapping)), f"HTTP {status}")
    data = _object(_decoded(body), "SMSMessageData")
    recipients = None if data is None else data.get("Recipients")
    if data is None or not isinstance(recipients, list | None):
        return Answer(UNCLEAR, f"HTTP {status}, {len(body)} bytes that are no answer of the messaging API")
    message = data.get("Message")
    if not recipients:
        return _refused_as_a_whole(status, message, text, is_empty=recipients is not None)
    entry = recipients[0]
    if len(recipients) > 1 or not isinstance(entry, Mapping):
        return Answer(UNCLEAR, f"HTTP {status}, {len(recipients)} recipients of a kind that was not asked for")
    if _digits(entry.get("number")) != _digits(recipient):
        return Answer(UNCLEAR, f"HTTP {status}, about another number")
    return _read_recipient(status, entry, text, sent=_sent(message))


def _read_recipient(status: int, entry: Mapping[str, Any], text: str, sent: int | None) -> Answer:
    code = _whole(entry.get("statusCode"))
    if entry.get("statusCode") is None:
        meaning = _meaning_without_code(entry, sent)
    else:
        meaning = UNCLEAR if code is None else meaning_of_code(code)
    cost, parts = amount(entry.get("cost")), _whole(entry.get("messageParts"))
    facts = [f"HTTP {status}", "no statusCode" if code is None else str(code), _words(entry.get("status"), text)]
    if cost is not None:
        facts.append(f"cost {_CURRENCY} {cost:f}")
    elif entry.get("cost") is not None:
        facts.append(f"cost {_words(entry['cost'], text)}")
    if parts is not None:
        facts.append(f"parts {parts}")
    return Answer(
        meaning,
        " ".join(facts),
        message_id=_message_id(entry.get("messageId")),
        cost=cost,
        parts=parts if parts is not None and 1 <= parts <= MAX_PARTS else None,
    )


def _meaning_without_code(entry: Mapping[str, Any], sent: int | None) -> Meaning:
    """By the word, where id and cost do not speak against it; what the carrier says that it did not send is refused."""
    word = entry.get("status")
    named = meaning_of_name(word) if isinstance(word, str) else None
    has_id, cost = _message_id(entry.get("messageId")) is not None, amount(entry.get("cost"))
    if has_id:
        return named if named is not None and named.kind is OutcomeKind.ACCEPTED and sent != 0 else UNCLEAR
    if cost != 0 or sent != 0:
        return UNCLEAR
    return named if named is not None and named.kind is not OutcomeKind.ACCEPTED else REJECTED


def _refused_as_a_whole(status: int, reason: object, text: str, *, is_empty: bool) -> Answer:
    """Without a recipient; `is_empty`: whether there is a list of them at all."""
    raw = f"HTTP {status}, no recipients: {_words(reason, text)}"
    if not isinstance(reason, str) or not reason.strip():
        return Answer(UNCLEAR, raw)
    named, sent = meaning_of_name(reason), _sent(reason)
    if sent or (named is not None and named.kind is OutcomeKind.ACCEPTED):
        return Answer(UNCLEAR, raw)  # says that it sent, and to nobody
    if named is None and sent is None and not is_empty:
        return Answer(UNCLEAR, raw)
    return Answer(named or REJECTED, raw)


def _sent(message: object) -> int | None:
    """To how many the carrier says that it sent; None when it does not say."""
    found = _SENT_TO.match(message.strip()) if isinstance(message, str) else None
    return None if found is None else int(found["taken"][:9])


def read_balance(body: bytes) -> Decimal | None:
    """The account's balance in KES; None when the answer tells none."""
    decoded = _decoded(body)
    data = _object(decoded, "UserData") or _object(decoded, "userData")
    return None if data is None else amount(data.get("balance"), -_MOST, _MOST)


def amount(value: object, least: Decimal = Decimal(0), most: Decimal = MOST_OF_ONE) -> Decimal | None:
    """`"KES 0.8000"`, `"KES1,200"`, `"0"` or `0.8` as an amount of KES; None for other currencies and for no amount."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    if not isinstance(value, str) or len(value) > _LONGEST_AMOUNT:
        return None
    found = _AMOUNT.fullmatch(value.strip())
    if found is None:
        return None
    parsed = Decimal(found["number"].replace(",", ""))
    if not least <= parsed <= most:
        return None
    exponent = parsed.as_tuple().exponent
    return parsed if isinstance(exponent, int) and exponent >= -_DECIMALS else None


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _object(value: object, name: str) -> Mapping[str, Any] | None:
    member = value.get(name) if isinstance(value, Mapping) else None
    return member if isinstance(member, Mapping) else None


def _digits(number: object) -> str | None:
    return number.strip().removeprefix("+") if isinstance(number, str) and number.strip("+ ").isdigit() else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    return value if isinstance(value, int) and 0 <= value < 10**9 else None


def _message_id(value: object) -> str | None:
    if not isinstance(value, str) or value.lower() in _NO_ID or not _SAFE_ID.fullmatch(value):
        return None
    return value


def _words(value: object, text: str) -> str:
    """The carrier's words when they are plain and no part of the message; else only that there were some."""
    if value is None:
        return "no words"
    if not isinstance(value, str) or not _SAFE_WORDS.fullmatch(value):
        return "words left out"
    folded, message = value.lower(), text.lower()
    if folded in KNOWN_WORDS:
        return value
    if folded in message or message in folded:
        return "words left out"
    return value
