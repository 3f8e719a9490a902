"""The settings of the carrier, its pace, and what its posts mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from messaging_service.adapters.carriers.africastalking.callbacks import AfricasTalkingCallbacks, phone_of
from messaging_service.adapters.carriers.africastalking.pace import Pace
from messaging_service.adapters.carriers.africastalking.settings import AfricasTalkingSettings
from messaging_service.domain.submission import ReceiptState
from messaging_service.use_cases.carrier_callbacks import DeliveryReport, OptOut, PhoneMessage

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CALLBACKS = AfricasTalkingCallbacks("at", now=lambda: NOON)


def report(**changes: Any) -> DeliveryReport:
    fields: dict[str, Any] = {
        "carrier_message_id": "ATXid_1",
        "status": "Success",
        "phone_number": "+254711222333",
        "network_code": "63902",
        "failure_reason": "",
        "retry_count": None,
    }
    return DeliveryReport(**(fields | changes))


def test_the_settings_that_the_carrier_gives_are_enough() -> None:
    settings = AfricasTalkingSettings("tukupay", "atsk_secret")
    assert settings.base_url == "https://api.africastalking.com"
    assert settings.low_balance == Decimal(0)
    assert "atsk_secret" not in repr(settings)


def test_every_setting_that_cannot_work_is_named_at_once() -> None:
    with pytest.raises(ValueError, match="window") as error:
        AfricasTalkingSettings(
            "tuku pay",
            "atsk\nsecret",
            base_url="http://api.africastalking.com",
            window=0,
            rate_per_s=-1,
            connect_timeout_s=0,
            response_timeout_s=-1,
            late_answer_s=-1,
            keep_alive_s=0,
            balance_poll_s=0,
            low_balance_kes="many",
            reconnect_min_s=0,
            reconnect_max_s=-1,
        )
    message = str(error.value)
    for name in AfricasTalkingSettings.__dataclass_fields__:
        assert name in message or name == "enqueue"
    assert "secret" not in message


@pytest.mark.parametrize(
    ("base_url", "is_fine"),
    [
        ("https://api.africastalking.com", True),
        ("https://api.sandbox.africastalking.com/", True),
        ("http://127.0.0.1:8091", True),
        ("http://[::1]:8091", True),
        ("http://localhost", True),
        ("http://10.0.0.1", False),
        ("https://user:pass@host", False),
        ("https://host/version1", False),
        ("https://host?x=1", False),
        ("https://", False),
        ("ftp://host", False),
        ("https://host:0", False),
        ("https://host:99999", False),
        ("", False),
    ],
)
def test_a_base_url_is_encrypted_or_local(base_url: str, is_fine: bool) -> None:
    if is_fine:
        AfricasTalkingSettings("u", "k", base_url=base_url)
    else:
        with pytest.raises(ValueError, match="base_url"):
            AfricasTalkingSettings("u", "k", base_url=base_url)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Success", ReceiptState.DELIVERED),
        ("Failed", ReceiptState.UNDELIVERABLE),
        ("AbsentSubscriber", ReceiptState.UNDELIVERABLE),
        ("Rejected", ReceiptState.REJECTED),
        ("Expired", ReceiptState.EXPIRED),
        ("Sent", ReceiptState.ENROUTE),
        ("Submitted", ReceiptState.ENROUTE),
        ("Buffered", ReceiptState.ENROUTE),
        ("SUCCESS", ReceiptState.DELIVERED),
        ("Teleported", ReceiptState.UNKNOWN),
    ],
)
def test_each_word_of_a_report_is_a_state(word: str, state: ReceiptState) -> None:
    receipt = CALLBACKS.receipt(report(status=word))
    assert receipt.state is state
    assert word in receipt.raw
    assert receipt.speaks_for_all_parts


def test_a_report_keeps_what_the_carrier_told() -> None:
    receipt = CALLBACKS.receipt(report(status="Failed", failure_reason="UserInactive", retry_count=2))
    assert (receipt.carrier, receipt.carrier_message_id) == ("at", "ATXid_1")
    assert (receipt.recipient, receipt.sender_id, receipt.done_at) == ("+254711222333", None, None)
    assert (receipt.network, receipt.network_error) == ("63902", "UserInactive")
    assert receipt.raw == "status Failed, network 63902 Safaricom, reason UserInactive, retries 2"


def test_a_report_without_a_reason_or_network_leaves_them_open() -> None:
    receipt = CALLBACKS.receipt(report(network_code="", phone_number="unknown"))
    assert (receipt.network, receipt.network_error, receipt.recipient) == (None, None, None)
    assert CALLBACKS.receipt(report(status="AbsentSubscriber")).network_error == "AbsentSubscriber"


@pytest.mark.parametrize(
    ("number", "phone"),
    [
        ("+254711222333", "+254711222333"),
        (" 254711222333", "+254711222333"),
        ("254711222333", "+254711222333"),
        ("0711222333", None),
        ("TUKUPAY", None),
        ("", None),
    ],
)
def test_a_number_is_read_in_the_spellings_that_forms_give_it(number: str, phone: str | None) -> None:
    assert phone_of(number) == phone


def test_what_phones_send_names_the_phone_and_whom_it_wrote_to() -> None:
    message = CALLBACKS.message(PhoneMessage("+254711222333", "22141", "STOP"))
    assert message is not None
    assert (message.phone, message.sender_id, message.text, message.is_opt_out) == (
        "+254711222333",
        "22141",
        "STOP",
        False,
    )
    opt_out = CALLBACKS.opt_out(OptOut("+254711222333", "TUKUPAY"))
    assert opt_out is not None
    assert (opt_out.is_opt_out, opt_out.sender_id, opt_out.received_at) == (True, "TUKUPAY", NOON)
    assert CALLBACKS.opt_out(OptOut("nobody", "TUKUPAY")) is None
    assert CALLBACKS.message(PhoneMessage("", "22141", "STOP")) is None


class Clock:
    """Time and one timer, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timer: tuple[float, Callable[[], None]] | None = None

    def __call__(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Clock:
        self.timer = (self.now + delay, call)
        return self

    def cancel(self) -> None:
        self.timer = None


def test_a_rate_lets_a_tenth_of_a_second_through_at_once_and_tells_when_more_may_go() -> None:
    clock, told = Clock(), list[float]()
    pace = Pace(50, clock, clock.call_later, lambda: told.append(clock.now))
    taken = 0
    while pace.free():
        pace.take()
        taken += 1
    assert taken == 5
    assert clock.timer is not None
    clock.now, resume = clock.timer
    resume()
    assert told == [pytest.approx(100.02)]
    assert pace.free() == 1


def test_over_a_second_no_more_than_the_rate_and_its_burst_go() -> None:
    clock = Clock()
    pace = Pace(3, clock, clock.call_later, lambda: None)
    taken = 0
    for _ in range(1_000):
        clock.now += 0.001
        if pace.free():
            pace.take()
            taken += 1
    assert taken in (3, 4)


def test_a_message_that_does_not_go_gives_its_place_in_the_rate_back() -> None:
    clock = Clock()
    pace = Pace(1, clock, clock.call_later, lambda: None)
    pace.take()
    found = [pace.free()]
    pace.give_back()
    assert [*found, pace.free()] == [0, 1]
    pace.stop()
    assert clock.timer is None


def test_no_rate_is_no_limit() -> None:
    clock = Clock()
    pace = Pace(0, clock, clock.call_later, lambda: None)
    for _ in range(1_000):
        pace.take()
    assert pace.free() > 1_000
    assert clock.timer is None
