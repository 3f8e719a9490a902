"""What people read: events in plain words, several of them in one text.

It holds neither texts nor phone numbers, nor ids that customers chose, because such ids may hold phone numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from messaging_service.accounts.domain.account_limits import DAY_STARTS_AT
from messaging_service.notices.domain.endpoints import EventType
from messaging_service.sending.domain.failures import failure_of

NAME: Final = "TukuPay SMS"
MOST_CODES: Final = 10
"""Most error codes that a text names; the rest are counted together."""
MOST_ALERTS: Final = 20
_FAILED_LIST: Final = "GET /api/sms/outbox with status=failed shows them"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """One event as it waits in the queue."""

    type: EventType
    account_id: str
    subject: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A message to people."""

    title: str
    body: str


def queued_event(event: Mapping[str, Any]) -> QueuedEvent:
    """An event by its CloudEvent."""
    return QueuedEvent(
        EventType(event["type"]),
        event["data"]["userId"],
        event["subject"],
        datetime.fromisoformat(event["time"]),
        event["data"],
    )


def text_of(events: Sequence[QueuedEvent]) -> Text:
    """One text for all of them, in their order, failed messages counted by code. At least one, all of one account."""
    failed = [event for event in events if event.type is EventType.SMS_FAILED]
    others = [event for event in events if event.type is not EventType.SMS_FAILED]
    sections = [_section(event) for event in others[:MOST_ALERTS]]
    if len(others) > MOST_ALERTS:
        sections.append(f"And {len(others) - MOST_ALERTS:,} more: `tukupay-sms alerts list` shows them.")
    if failed:
        sections.append(_failures(failed))
    return Text(f"{NAME}: {_headline(others, failed)} ({events[0].account_id})", "\n\n".join(sections))


def _section(event: QueuedEvent) -> str:
    wording = _WORDINGS[event.type]
    return f"{wording.what(event)}\n{_when(event.at)}\nWhat to do: {wording.to_do}"


def nairobi(instant: datetime) -> str:
    """An instant as people in Nairobi write it, such as `22 Nov 2026, 04:51 EAT`."""
    local = instant - DAY_STARTS_AT
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M} EAT"


def _headline(others: Sequence[QueuedEvent], failed: Sequence[QueuedEvent]) -> str:
    words = []
    if len(others) == 1:
        words.append(_WORDINGS[others[0].type].short)
    elif others:
        words.append(f"{len(others):,} alerts")
    if failed:
        words.append(_messages(len(failed)) + " failed")
    return ", ".join(words)


def _balance_low(event: QueuedEvent) -> str:
    value, threshold = event.data["value"], event.data["threshold"]
    if "unitPrice" not in event.data:
        return f"Account {event.account_id} can spend {_kes(value)}. It is warned below {_kes(threshold)}."
    price, available = _kes(event.data["unitPrice"]), _kes(event.data["available"])
    return (
        f"Account {event.account_id} can pay for {_count(value)} SMS units ({available} at {price} each). "
        f"It is warned below {_count(threshold)} units."
    )


def _sms_failing(event: QueuedEvent) -> str:
    failed, ended = _count(event.data["failed"]), _count(event.data["ended"])
    return (
        f"Of the latest {ended} messages of account {event.account_id} {failed} failed: {event.data['value']} %. "
        f"It is warned from {event.data['threshold']} % on."
    )


def _outcomes_unknown(event: QueuedEvent) -> str:
    count = int(Decimal(event.data["value"]))
    return (
        f"{_messages(count)} of the whole system {'has' if count == 1 else 'have'} an unknown outcome. "
        f"Account {event.account_id} is warned from {_count(event.data['threshold'])} on."
    )


def _sms_pumping(event: QueuedEvent) -> str:
    count = int(Decimal(event.data["value"]))
    looks = "1 block of numbers looks" if count == 1 else f"{count:,} blocks of numbers look"
    sentences = [f"{looks} pumped."]
    sentences += [_pumped_block(event.account_id, block) for block in event.data["blocks"][:1]]
    return " ".join(sentences)


def _pumped_block(account_id: str, block: Mapping[str, Any]) -> str:
    conversion = block["conversion"]
    said = "nobody has said which codes came back" if conversion is None else f"{conversion} % of its codes came back"
    return (
        f"Account {account_id} was asked for {_count(block['numbers'])} numbers of {block['block']}… within 10 minutes"
        f", {_count(block['longestRun'])} of them in a row; {block['usual']} messages are usual there, and {said}."
    )


def _carrier_down(event: QueuedEvent) -> str:
    return (
        f"Carrier {event.subject} could not be used for {_count(event.data['value'])} seconds. "
        f"Account {event.account_id} is warned from {_count(event.data['threshold'])} on."
    )


def _carrier_balance_low(event: QueuedEvent) -> str:
    return (
        f"Our account at carrier {event.subject} holds {_kes(event.data['value'])}. "
        f"Account {event.account_id} is warned below {_kes(event.data['threshold'])}."
    )


def _test(event: QueuedEvent) -> str:
    return f"This is a test: what happens to account {event.account_id} is reported here."


@dataclass(frozen=True, slots=True)
class _Wording:
    """How a type of event is worded."""

    short: str
    what: Callable[[QueuedEvent], str]
    to_do: str


_WORDINGS: Final = {
    EventType.BALANCE_LOW: _Wording(
        "balance low", _balance_low, "top up the account. Without funds its messages are refused."
    ),
    EventType.SMS_FAILING: _Wording(
        "many messages fail", _sms_failing, f"look at the error codes of the failed messages: {_FAILED_LIST}."
    ),
    EventType.OUTCOMES_UNKNOWN: _Wording(
        "outcomes unknown",
        _outcomes_unknown,
        "look at the carriers, with `tukupay-sms carriers`: receipts may be late or lost.",
    ),
    EventType.CARRIER_DOWN: _Wording(
        "carrier down", _carrier_down, "look at its binds, with `tukupay-sms carriers`, and ask the carrier."
    ),
    EventType.CARRIER_BALANCE_LOW: _Wording(
        "balance at a carrier low",
        _carrier_balance_low,
        "top up our account at the carrier. Without funds it takes no messages.",
    ),
    EventType.SMS_PUMPING: _Wording(
        "numbers look pumped",
        _sms_pumping,
        "see who asks for these codes; GET /api/sms/conversion shows all blocks. The account may have such messages "
        "refused, with the term `pumping`.",
    ),
    EventType.WEBHOOK_TEST: _Wording("test", _test, "nothing; it arrived."),
}


def _failures(failed: Sequence[QueuedEvent]) -> str:
    account, first, last = failed[0].account_id, failed[0].at, failed[-1].at
    if len(failed) == 1:
        code = failed[0].data["errorCode"]
        failure = failure_of(code)
        return (
            f"Message {failed[0].subject} of account {account} failed with {code}: {failure.meaning}\n"
            f"{_when(first)}\nWhat to do: {failure.advice}"
        )
    counts = Counter(event.data["errorCode"] for event in failed).most_common()
    lines = [f"- {count:,} × {code}: {failure_of(code).meaning}" for code, count in counts[:MOST_CODES]]
    if rest := counts[MOST_CODES:]:
        lines.append(f"- {sum(count for _, count in rest):,} × {len(rest)} other codes")
    begin, end = nairobi(min(first, last)), nairobi(max(first, last))
    period = f"At {begin}" if begin == end else f"From {begin} to {end}"
    return (
        f"{period} (Nairobi) {_messages(len(failed))} of account {account} failed:\n"
        + "\n".join(lines)
        + f"\nWhat to do: look at the failed messages: {_FAILED_LIST}."
    )


def _when(at: datetime) -> str:
    return f"When: {nairobi(at)} (Nairobi)"


def _kes(amount: str) -> str:
    """An amount with two decimals or, where it has more, with all of them."""
    number = Decimal(amount)
    cents = number.quantize(Decimal("0.01"))
    return f"KES {cents:,}" if cents == number else f"KES {number.normalize():,f}"


def _count(number: str | int) -> str:
    return f"{Decimal(number):,f}"


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
