"""What a request to send must fulfil; every violation is found, not only the first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, schedule_problem, text_problem
from messaging_service.shared.domain.sender_id import sender_id_problem
from messaging_service.shared.domain.states import Priority
from messaging_service.texts.message_text import cut
from service_kit.access.principal import AccessMode
from service_kit.errors import Violation, invalid
from service_kit.identifiers import identifier_problem

MAX_MESSAGE_ID = 128
MAX_MESSAGE_NAME = 100
MAX_TAGS = 20
MAX_TAG = 50
MAX_CUSTOM_DATA_BYTES = 4_096
MAX_CUSTOM_DATA_EXPONENT = 30
"""jsonb writes numbers out in full, so that a short text of large exponents would become a long one."""
MAX_CUSTOM_DATA_DEPTH = 32
"""Objects and lists inside one another. A fixed bound, as what Python can read depends on its stack."""
MAX_VALIDITY = timedelta(days=7)
"""How long after it is due a message may still be wanted; carriers keep none for longer."""


@dataclass(frozen=True, slots=True)
class SendDraft:
    """A request as it came in, checked for nothing yet. Absent optional fields are None."""

    user_id: str
    recipient_phone_number: str
    message: str
    sender_id: str
    message_name: str | None = None
    message_id: str | None = None
    scheduled_time: datetime | None = None
    """Aware, UTC."""
    expires_time: datetime | None = None
    """Aware, UTC."""
    priority: Priority = Priority.NORMAL
    tags: Sequence[str] = ()
    custom_data_json: str | None = None
    app_id: str | None = None
    mode: AccessMode = AccessMode.LIVE
    """Of the caller's credential."""
    api_key: str | None = None
    """The id of the API key that sends it, whose limits count; None for other callers."""


def validate(
    draft: SendDraft, *, now: datetime, phone_problem: Callable[[str], str | None], max_units: int
) -> SendRequest:
    """Turns a draft into a request; raises ServiceError INVALID that names every field at fault.

    An expiry that has passed is no fault by itself: the repetition of a request that is on record is answered
    from there. See `expiry_over`.
    """
    found: list[Violation] = []

    def fault(field: str, reason: str, description: str) -> None:
        found.append(Violation(field, reason, description))

    def check_identifier(
        field: str, value: str | None, limit: int, rule: Callable[[str, int], str | None] = identifier_problem
    ) -> None:
        if value is not None and (problem := rule(value, limit)):
            fault(field, reasons.INVALID_IDENTIFIER, problem)

    check_identifier("user_id", draft.user_id, MAX_IDENTIFIER)
    check_identifier("app_id", draft.app_id, MAX_IDENTIFIER)
    check_identifier("message_id", draft.message_id, MAX_MESSAGE_ID)
    # What a message is called is no identifier of anything: it is a text.
    check_identifier("message_name", draft.message_name, MAX_MESSAGE_NAME, text_problem)
    if problem := phone_problem(draft.recipient_phone_number):
        fault("recipient_phone_number", reasons.INVALID_PHONE_NUMBER, problem)
    if problem := sender_id_problem(draft.sender_id):
        fault("sender_id", reasons.INVALID_SENDER_ID, problem)
    segmentation, text_fault = cut(draft.message, max_units)
    if text_fault:
        found.append(text_fault)
    if problem := schedule_problem(draft.scheduled_time, now):
        fault("scheduled_time", reasons.SCHEDULE_TOO_FAR, problem)
    found.extend(_tag_faults(draft.tags))
    if draft.custom_data_json is not None and (problem := custom_data_problem(draft.custom_data_json)):
        fault("custom_data_json", reasons.INVALID_CUSTOM_DATA, problem)
    found.extend(_expiry_faults(draft, now, is_refused_anyway=bool(found)))
    if found or segmentation is None:
        raise invalid(found)
    return SendRequest(
        account_id=draft.user_id,
        recipient=draft.recipient_phone_number,
        text=draft.message,
        sender_id=draft.sender_id,
        segmentation=segmentation,
        message_name=draft.message_name,
        client_message_id=draft.message_id,
        scheduled_at=draft.scheduled_time,
        is_future=draft.scheduled_time is not None and draft.scheduled_time > now,
        expires_at=draft.expires_time,
        priority=draft.priority,
        tags=tuple(draft.tags),
        custom_data_json=draft.custom_data_json,
        app_id=draft.app_id,
        mode=draft.mode,
    )


def _expiry_faults(draft: SendDraft, now: datetime, *, is_refused_anyway: bool) -> list[Violation]:
    """What is wrong with the end of the validity; that it has passed only when the request is refused anyway."""
    expires, scheduled = draft.expires_time, draft.scheduled_time
    if expires is None:
        return []
    if scheduled is not None and expires <= scheduled:
        problem = "does not lie after the time that the message is scheduled for; give a later instant, or leave it out"
        return [Violation("expires_time", reasons.EXPIRY_NOT_AHEAD, problem)]
    if expires > max(scheduled or now, now) + MAX_VALIDITY:
        problem = f"lies more than {MAX_VALIDITY.days} days after the message is due; give an earlier instant"
        return [Violation("expires_time", reasons.EXPIRY_TOO_FAR, problem)]
    over = expiry_over(expires, now)
    return [over] if over is not None and is_refused_anyway else []


def expiry_over(expires: datetime | None, now: datetime) -> Violation | None:
    """The fault of an expiry that has passed, which no message on record can have had; None when it has not."""
    if expires is None or expires > now:
        return None
    problem = "has passed; give an instant that lies ahead, or leave it out"
    return Violation("expires_time", reasons.EXPIRY_NOT_AHEAD, problem)


def _tag_faults(tags: Sequence[str]) -> list[Violation]:
    if len(tags) > MAX_TAGS:
        return [Violation("tags", reasons.TOO_MANY_TAGS, f"has {len(tags)} tags; at most {MAX_TAGS} are allowed")]
    return [
        Violation(f"tags[{index}]", reasons.INVALID_TAG, problem)
        for index, tag in enumerate(tags)
        if (problem := identifier_problem(tag, MAX_TAG))
    ]


_TOO_DEEP = f"is nested too deeply; at most {MAX_CUSTOM_DATA_DEPTH} levels are allowed, flatten it"
_OUT_OF_RANGE = "a number in it is out of range"


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object with all repetitions of a name: PostgreSQL reads those that lose, too."""


def custom_data_problem(text: str) -> str | None:
    """What keeps a text from being stored as a JSON object; None when nothing does."""
    if len(octets := text.encode("utf-8", "surrogatepass")) > MAX_CUSTOM_DATA_BYTES:
        return f"takes {len(octets)} bytes as JSON; at most {MAX_CUSTOM_DATA_BYTES} are allowed"
    try:
        value = _CUSTOM_DATA.decode(text)
    except RecursionError:
        return _TOO_DEEP
    except ValueError as error:
        return f"is not JSON: {error}"
    if not isinstance(value, _Members):
        return 'is not a JSON object; give something like {"purpose": "..."}'
    if _is_deeper_than(MAX_CUSTOM_DATA_DEPTH, value):
        return _TOO_DEEP
    # Without escapes, ASCII can hold nothing of that kind.
    is_plain = text.isascii() and "\\" not in text
    return None if is_plain else _unstorable(json.dumps(value, ensure_ascii=False, default=str))


def _is_deeper_than(limit: int, value: list[Any]) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _items(outer) if isinstance(inner, list)]
        if not level:
            return False
    return True


def _items(outer: list[Any]) -> list[Any]:
    return [value for _, value in outer] if isinstance(outer, _Members) else outer


def _unstorable(canonical: str) -> str | None:
    """What PostgreSQL's jsonb cannot hold although it is JSON."""
    if "\\u0000" in canonical.replace("\\\\", ""):
        return "holds the character U+0000, which cannot be stored; remove it"
    try:
        canonical.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is not a character; remove it"
    return None


def _number(digits: str) -> Decimal:
    # Of zeros, too: PostgreSQL has no room for the decimals of 0e-20000.
    try:
        number = Decimal(digits)
    except InvalidOperation:
        raise ValueError(_OUT_OF_RANGE) from None
    if abs(number.adjusted()) > MAX_CUSTOM_DATA_EXPONENT:
        raise ValueError(_OUT_OF_RANGE)
    return number


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


_CUSTOM_DATA = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_not_json, object_pairs_hook=_Members
)
