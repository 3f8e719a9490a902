"""What the answers to submits mean for a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind
from messaging_service.carriers.smpp.binds.outstanding import Answered, Asked, SubmitAnswer, Unanswered
from messaging_service.carriers.smpp.codec.status import OK, judge, status_name

PARTIALLY_SENT: Final = "PARTIALLY_SENT"
_ACCEPTED: Final = status_name(OK)


def accepted(carrier: str, message_ids: Sequence[str]) -> Outcome:
    """All parts were taken; one id comes as often as it stands for segments of the text."""
    # A carrier that gives no id can send no receipt that matches; an empty id would match by accident.
    return Outcome(OutcomeKind.ACCEPTED, carrier, carrier_message_ids=_known(message_ids), raw=_ACCEPTED)


def failed(carrier: str, answer: SubmitAnswer, message_ids: Sequence[str] = ()) -> Outcome:
    """A part was not taken, or nobody knows; `message_ids` are those of the parts before it."""
    kind, code, raw = _meaning(answer)
    return Outcome(kind, carrier, _known(message_ids), code, raw)


def partially_sent(carrier: str, message_ids: Sequence[str], raw: str) -> Outcome:
    """The parts with these ids are out, and the rest will not follow; `raw` says why."""
    return Outcome(OutcomeKind.REFUSED, carrier, _known(message_ids), PARTIALLY_SENT, raw)


def unsendable(carrier: str, code: str, why: str) -> Outcome:
    """No submit can hold the message."""
    return Outcome(OutcomeKind.REFUSED, carrier, error_code=code, raw=f"not sent: {why}")


def late_outcome(carrier: str, asked: Asked, answer: Answered) -> Outcome:
    """What the answer means that came after the message was called unknown.

    Nothing was sent after the part that had no answer, so its answer decides about the whole message.
    """
    if answer.status == OK:
        message_ids = (*asked.taken, *(answer.message_id,) * asked.segments)
        if not asked.parts_left:
            return accepted(carrier, message_ids)
        raw = f"{_ACCEPTED}, too late for the {asked.parts_left} parts after it"
        return partially_sent(carrier, message_ids, raw)
    outcome = failed(carrier, answer, asked.taken)
    return partially_sent(carrier, asked.taken, outcome.raw) if asked.taken else outcome


def _known(message_ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(message_id for message_id in message_ids if message_id)


def _meaning(answer: SubmitAnswer) -> tuple[OutcomeKind, str, str]:
    """Kind, stable code and raw answer of a submit that was not accepted."""
    if isinstance(answer, Answered):
        return *judge(answer.status), status_name(answer.status)
    if answer is Unanswered.NOT_WRITTEN:
        return OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE", answer.value
    return OutcomeKind.UNKNOWN, "CARRIER_NO_ANSWER", answer.value
