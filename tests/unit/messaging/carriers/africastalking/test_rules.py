"""The settings of the carrier, and what its posts mean."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import structlog

from messaging_service.carriers.africastalking.africastalking_callbacks import AfricasTalkingCallbacks, phone_of
from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.callback_reader import DeliveryReport, OptOut, PhoneMessage
from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.sending.domain.failures import CATALOGUE, Resend

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
            max_submits_per_s=-1,
            connect_timeout_s=0,
            response_timeout_s=-1,
            late_answer_s=-1,
            keep_alive_s=0,
            balance_poll_s=0,
            low_balance_kes="many",
            reconnect_min_s=0,
            reconnect_max_s=-1,
            receipt_states={"Blocked": "gone"},
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


@pytest.mark.parametrize(
    ("status", "reason", "state", "code"),
    [
        ("Failed", "UserInBlacklist", ReceiptState.UNDELIVERABLE, "OPTED_OUT_AT_CARRIER"),
        ("Rejected", "userInBlackList", ReceiptState.REJECTED, "OPTED_OUT_AT_CARRIER"),
        ("Failed", "DoNotDisturbRejection", ReceiptState.UNDELIVERABLE, "DO_NOT_DISTURB"),
        ("Failed", "UnsupportedNumberType", ReceiptState.UNDELIVERABLE, "UNSUPPORTED_NUMBER"),
        ("Rejected", "InvalidPhoneNumber", ReceiptState.REJECTED, "INVALID_RECIPIENT"),
        ("Rejected", "UserDoesNotExist", ReceiptState.REJECTED, "INVALID_RECIPIENT"),
        ("UserInBlacklist", "", ReceiptState.REJECTED, "OPTED_OUT_AT_CARRIER"),
        ("Failed", "UserInactive", ReceiptState.UNDELIVERABLE, None),
        ("Rejected", "GatewayError", ReceiptState.REJECTED, None),
    ],
)
def test_a_failure_that_no_further_try_mends_has_the_code_of_the_same_refusal(
    status: str, reason: str, state: ReceiptState, code: str | None
) -> None:
    receipt = CALLBACKS.receipt(report(status=status, failure_reason=reason))
    assert (receipt.state, receipt.failure_code) == (state, code)
    assert code is None or CATALOGUE[code].resend is Resend.NEVER


def test_words_that_mean_nothing_here_are_a_setting_and_warned_of_once() -> None:
    callbacks = AfricasTalkingCallbacks("at", {"blocked": "undeliverable", "Success": "enroute"}, now=lambda: NOON)
    with structlog.testing.capture_logs() as logs:
        for word in ("Blocked", "Success", "Teleported", "TELEPORTED", "no word!", ""):
            callbacks.receipt(report(status=word))
    assert callbacks.receipt(report(status="Blocked")).state is ReceiptState.UNDELIVERABLE
    assert callbacks.receipt(report(status="Success")).state is ReceiptState.ENROUTE
    (said,) = logs
    assert (said["event"], said["carrier"], said["state"]) == (
        "africastalking.report_state_unknown",
        "at",
        "Teleported",
    )


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
        ("00254711222333", "+254711222333"),
        ("0711222333", None),
        ("254254711222333", None),
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
