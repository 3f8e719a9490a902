"""What people read of events, and which targets are addresses."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.alert_readings import Reading
from messaging_service.notices.domain.alerts import DEFAULTS, AlertRule, event_of
from messaging_service.notices.domain.channel_text import QueuedEvent, Text, nairobi, queued_event, text_of
from messaging_service.notices.domain.channels import CHANNEL_EVENTS, email_problem, joined, url_letters_problem
from messaging_service.notices.domain.endpoints import EventType

AT = datetime(2026, 11, 22, 1, 51, 19, tzinfo=UTC)


def alert(kind: AlertKind, value: str, subject: str = "user123", **data: Any) -> QueuedEvent:
    event = event_of(UUID(int=1), "user123", rule_of(kind), Reading(subject, Decimal(value), data), AT)
    return QueuedEvent(event.type, event.account_id, event.subject, event.at, event.data)


def rule_of(kind: AlertKind) -> AlertRule:
    return DEFAULTS[kind]


def failed(code: str, at: datetime = AT, number: int = 1) -> QueuedEvent:
    return QueuedEvent(
        EventType.SMS_FAILED, "user123", f"outbox_{number}", at, {"errorCode": code, "messageId": "0712345678"}
    )


@pytest.mark.parametrize(
    ("queued", "title", "what"),
    [
        (
            alert(AlertKind.BALANCE_LOW, "1099.5", currency="KES"),
            "balance low",
            "Account user123 can spend KES 1,099.50. It is warned below KES 100.00.",
        ),
        (
            alert(AlertKind.BALANCE_LOW, "98", currency="KES", available="59.1", unitPrice="0.602345"),
            "balance low",
            "Account user123 can pay for 98 SMS units (KES 59.10 at KES 0.602345 each). It is warned below 100 units.",
        ),
        (
            alert(AlertKind.SMS_FAILING, "33.33", failed=400, ended=1_200),
            "many messages fail",
            "Of the latest 1,200 messages of account user123 400 failed: 33.33 %. It is warned from 20 % on.",
        ),
        (
            alert(AlertKind.OUTCOMES_UNKNOWN, "1250", "system"),
            "outcomes unknown",
            "1,250 messages of the whole system have an unknown outcome. Account user123 is warned from 100 on.",
        ),
        (
            alert(
                AlertKind.SMS_PUMPING,
                "2",
                blocks=[
                    {"block": "+254712345", "numbers": 34, "longestRun": 12, "usual": "0.40", "conversion": "16.7"}
                ],
            ),
            "numbers look pumped",
            "2 blocks of numbers look pumped. Account user123 was asked for 34 numbers of +254712345… within 10 "
            "minutes, 12 of them in a row; 0.40 messages are usual there, and 16.7 % of its codes came back.",
        ),
        (
            alert(
                AlertKind.SMS_PUMPING,
                "1",
                blocks=[{"block": "+254712345", "numbers": 10, "longestRun": 1, "usual": "0.00", "conversion": None}],
            ),
            "numbers look pumped",
            "1 block of numbers looks pumped. Account user123 was asked for 10 numbers of +254712345… within 10 "
            "minutes, 1 of them in a row; 0.00 messages are usual there, and nobody has said which codes came back.",
        ),
        (
            alert(AlertKind.CARRIER_DOWN, "61", "smpp", carrier="smpp"),
            "carrier down",
            "Carrier smpp could not be used for 61 seconds. Account user123 is warned from 60 on.",
        ),
        (
            alert(AlertKind.CARRIER_BALANCE_LOW, "999.99", "at", carrier="at", currency="KES"),
            "balance at a carrier low",
            "Our account at carrier at holds KES 999.99. Account user123 is warned below KES 1,000.00.",
        ),
    ],
)
def test_an_alert_says_what_when_and_what_to_do(queued: QueuedEvent, title: str, what: str) -> None:
    text = text_of([queued])
    first, when, to_do = text.body.split("\n")
    assert text.title == f"TukuPay SMS: {title} (user123)"
    assert (first, when) == (what, "When: 22 Nov 2026, 04:51 EAT (Nairobi)")
    assert to_do.startswith("What to do: ")
    assert to_do.endswith(".")


def test_one_failed_message_is_named_with_what_to_do() -> None:
    assert text_of([failed("INVALID_RECIPIENT")]) == Text(
        "TukuPay SMS: 1 message failed (user123)",
        "Message outbox_1 of account user123 failed with INVALID_RECIPIENT: "
        "The carrier does not accept this phone number.\n"
        "When: 22 Nov 2026, 04:51 EAT (Nairobi)\n"
        "What to do: Check the number and send a new message to the right one.",
    )


def test_a_thousand_failed_messages_are_counted_by_code() -> None:
    codes = ["INVALID_RECIPIENT"] * 1_500 + ["INVALID_SENDER"] * 2 + [f"CODE_{number}" for number in range(20)]
    events = [failed(code, AT + timedelta(seconds=number), number) for number, code in enumerate(codes)]
    text = text_of(events)
    assert text.title == "TukuPay SMS: 1,522 messages failed (user123)"
    first, *lines, to_do = text.body.split("\n")
    assert first == (
        "From 22 Nov 2026, 04:51 EAT to 22 Nov 2026, 05:16 EAT (Nairobi) 1,522 messages of account user123 failed:"
    )
    assert len(lines) == 11
    assert lines[0] == "- 1,500 × INVALID_RECIPIENT: The carrier does not accept this phone number."
    assert lines[-1] == "- 12 × 12 other codes"
    assert to_do == ("What to do: look at the failed messages: GET /api/sms/outbox with status=failed shows them.")


def test_alerts_and_failures_are_one_text_without_numbers_of_phones() -> None:
    low = alert(AlertKind.BALANCE_LOW, "99", currency="KES")
    text = text_of([low, failed("INVALID_SENDER"), low, failed("INVALID_SENDER")])
    assert text.title == "TukuPay SMS: 2 alerts, 2 messages failed (user123)"
    assert text.body.count("KES 99.00") == 2
    assert "2 × INVALID_SENDER" in text.body
    assert "0712345678" not in text.body
    many = text_of([low] * 30)
    assert many.title == "TukuPay SMS: 30 alerts (user123)"
    assert many.body.count("KES 99.00") == 20
    assert many.body.endswith("And 10 more: `tukupay-sms alerts list` shows them.")


@pytest.mark.parametrize("event", [*CHANNEL_EVENTS, EventType.WEBHOOK_TEST])
def test_every_event_that_a_channel_gets_has_its_words(event: EventType) -> None:
    data = {
        "userId": "user123",
        "value": "5",
        "threshold": "7",
        "failed": 1,
        "ended": 2,
        "errorCode": "CODE",
        "blocks": [],
    }
    queued = queued_event({"type": event.value, "subject": "it", "time": "2026-11-22T01:51:19Z", "data": data})
    text = text_of([queued])
    assert text.title.endswith(" (user123)")
    assert "EAT (Nairobi)" in text.body
    assert "What to do: " in text.body


def test_a_day_in_nairobi_begins_three_hours_before_that_of_utc() -> None:
    assert nairobi(datetime(2026, 12, 31, 21, 0, tzinfo=UTC)) == "1 Jan 2027, 00:00 EAT"


@pytest.mark.parametrize(
    "address", ["duty@example.com", "a.b+c@example.co.ke", "o'neil@xn--bcher-kva.example", f"{'a' * 64}@example.com"]
)
def test_an_address_is_taken(address: str) -> None:
    assert email_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@example.com",
        "a@",
        "a@example",
        "a@example.",
        "a@-x.com",
        "a b@example.com",
        "a@b@example.com",
        "Amina <a@example.com>",
        "a@example.com,b@example.com",
        "a@example.com\nbcc: b@example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "ä@example.com",
        f"{'a' * 65}@example.com",
        f"a@{'b.' * 130}com",
    ],
)
def test_what_is_no_address_is_not_taken(address: str) -> None:
    assert email_problem(address)


def test_the_letters_of_a_url_are_looked_at_before_anything_else() -> None:
    assert url_letters_problem("slack://a/b/c") is None
    for url in ("", "slack://a b", "slack://a\r\nb", "slack://ä", "slack://" + "a" * 2_000):
        assert url_letters_problem(url)


def test_what_happens_in_one_span_is_told_at_its_end() -> None:
    minute, channel = timedelta(minutes=1), UUID(int=7)
    end = joined(AT, minute, channel)
    assert end is not None
    assert AT < end <= AT + minute
    assert joined(end - minute, minute, channel) == joined(end - timedelta(microseconds=1), minute, channel) == end
    assert joined(end, minute, channel) == end + minute
    assert joined(AT, timedelta(0), channel) is None


def test_spans_of_different_channels_do_not_end_together() -> None:
    ends = [joined(AT, timedelta(minutes=1), UUID(int=number)) for number in range(600)]
    tenths = Counter(int((end - AT).total_seconds() // 6) for end in ends if end is not None)
    assert len(tenths) == 10
    assert max(tenths.values()) < 120
