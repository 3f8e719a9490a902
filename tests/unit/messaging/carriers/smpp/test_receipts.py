"""Delivery receipts of many vendors, read alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import smpp34
import structlog
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState
from messaging_service.carriers.smpp.codec.receipt_forms import (
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
    ReceiptReader,
    is_receipt,
    looks_like_receipt,
    parse_receipt_text,
)
from messaging_service.carriers.smpp.smpp_settings import IdSpelling, LongText, ReceiptsOfParts, SmppSettings

KANNEL = b"id:0A1b2C sub:001 dlvrd:001 submit date:2411150930 done date:2411150931 stat:DELIVRD err:000 text:Your OTP"


def deliver(text: bytes = b"", *tlvs: smpp34.Tlv, esm_class: int = 0x04, ton: int = 1) -> smpp34.DeliverSm:
    return smpp34.DeliverSm(
        "254712345678",
        "TUKUPAY",
        text,
        esm_class=esm_class,
        source_addr_ton=ton,
        tlvs=list(tlvs),
        sequence_number=1,
    )


def reader(**changes: Any) -> ReceiptReader:
    return ReceiptReader("carrier", SmppSettings("127.0.0.1", 2775, "id", "secret", **changes))


def read(message: smpp34.DeliverSm, **changes: Any) -> DeliveryReceipt:
    receipt = reader(**changes).receipt(message)
    assert receipt is not None
    return receipt


def test_the_text_of_the_specification_is_read_whole() -> None:
    receipt = read(deliver(KANNEL))
    assert receipt.carrier == "carrier"
    assert receipt.carrier_message_id == "0A1b2C"
    assert receipt.state is ReceiptState.DELIVERED
    assert receipt.recipient == "+254712345678"
    assert receipt.sender_id == "TUKUPAY"
    assert receipt.network_error is None
    assert receipt.done_at == datetime(2024, 11, 15, 9, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message_id", "state"),
    [
        ("id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 Text:hi", "1", ReceiptState.DELIVERED),
        ("ID:1 STAT:UNDELIV ERR:027", "1", ReceiptState.UNDELIVERABLE),
        ("id:1 stat:Delivered", "1", ReceiptState.DELIVERED),
        ("id: 99 stat: EXPIRED", "99", ReceiptState.EXPIRED),
        ("id:1 stat:ENROUTE", "1", ReceiptState.ENROUTE),
        ("id:1 stat:DELETED", "1", ReceiptState.DELETED),
        ("id:1 stat:ACCEPTD", "1", ReceiptState.ACCEPTED),
        ("id:1 stat:UNKNOWN", "1", ReceiptState.UNKNOWN),
        ("id:1 stat:REJECTD", "1", ReceiptState.REJECTED),
        ("id:1 stat:REJECT", "1", ReceiptState.REJECTED),
        ("id:1 stat:NACK", "1", ReceiptState.REJECTED),
        ("id:1 stat:NOCRED", "1", ReceiptState.REJECTED),
        ("id:1 stat:FAILED", "1", ReceiptState.UNDELIVERABLE),
        ("id:1 stat:SYSERR", "1", ReceiptState.UNDELIVERABLE),
        ("id:1 stat:UNDELIVRD", "1", ReceiptState.UNDELIVERABLE),
        ("id:1 stat:skipped", "1", ReceiptState.UNDELIVERABLE),
        ("id:1 stat:WHATEVER", "1", ReceiptState.UNKNOWN),
        ("id:1", "1", ReceiptState.UNKNOWN),
        ("id: sub:001 stat:DELIVRD", None, None),
        ("sub:001 stat:DELIVRD", None, None),
        ("", None, None),
    ],
)
def test_spellings_of_vendors(text: str, message_id: str | None, state: ReceiptState | None) -> None:
    receipt = reader().receipt(deliver(text.encode()))
    found = (None, None) if receipt is None else (receipt.carrier_message_id, receipt.state)
    assert found == (message_id, state)


@pytest.mark.parametrize(
    ("text", "tlvs", "state"),
    [
        (b"id:1 stat:0 err:000", (), ReceiptState.DELIVERED),
        (b"id:1 stat:unknown", (), ReceiptState.EXPIRED),
        (b"id:1 stat:DELIVRD", (), ReceiptState.DELIVERED),
        (b"id:1", (smpp34.Tlv(TLV_MESSAGE_STATE, b"\x0a"),), ReceiptState.REJECTED),
        (b"id:1", (smpp34.Tlv(TLV_MESSAGE_STATE, b"\x00"),), ReceiptState.UNKNOWN),
        (b"id:1", (smpp34.Tlv(TLV_MESSAGE_STATE, b"\x09"),), ReceiptState.UNDELIVERABLE),
    ],
)
def test_words_of_a_carrier_mean_what_its_settings_say(
    text: bytes, tlvs: tuple[smpp34.Tlv, ...], state: ReceiptState
) -> None:
    words = {"0": "delivered", "UNKNOWN": "expired", "0x0a": "rejected"}
    assert read(deliver(text, *tlvs), receipt_states=words).state is state


def test_each_word_that_means_nothing_here_is_warned_of_once() -> None:
    receipts = reader()
    with structlog.testing.capture_logs() as logs:
        for text in (b"id:1 stat:TELEPRT", b"id:2 stat:teleprt", b"id:3 stat:0", b"id:4 stat:UNKNOWN", b"id:5"):
            receipts.receipt(deliver(text))
        receipts.receipt(deliver(b"id:6 stat:DELIVRD", smpp34.Tlv(TLV_MESSAGE_STATE, b"\x63")))
        for number in range(300):
            receipts.receipt(deliver(b"id:7 stat:X%d" % number))
    assert [entry["event"] for entry in logs] == ["smpp.receipt_state_unknown"] * 100
    assert [(entry["carrier"], entry["state"]) for entry in logs[:3]] == [
        ("carrier", "TELEPRT"),
        ("carrier", "0"),
        ("carrier", "X0"),
    ]


@pytest.mark.parametrize(
    ("text", "tlvs", "ids"),
    [
        (b"id:1885939778", (), ("70692842", None)),
        (b"", (b"70592842\0",), ("70592842", "435294a")),
        (b"id:1885939778", (b"70592842\0",), ("70592842", "435294a")),
        (b"id:1885939778", (b"70692842\0",), ("70692842", None)),
        (b"id:70592842", (b"70592842\0",), ("435294a", "70592842")),
        (b"", (b"5AF\0",), ("5AF", None)),
    ],
)
def test_the_id_of_a_parameter_is_read_as_it_is_before_it_is_converted(
    text: bytes, tlvs: tuple[bytes, ...], ids: tuple[str, str | None]
) -> None:
    message = deliver(text, *(smpp34.Tlv(TLV_RECEIPTED_MESSAGE_ID, value) for value in tlvs))
    receipt = read(message, submit_ids=IdSpelling.HEX, receipt_ids=IdSpelling.DECIMAL)
    assert (receipt.carrier_message_id, receipt.other_message_id) == ids


def test_what_a_receipt_speaks_for_is_a_setting() -> None:
    receipt = read(deliver(KANNEL))
    assert (receipt.speaks_for_all_parts, receipt.speaks_for_known_parts) == (False, False)
    assert read(deliver(KANNEL), long_text=LongText.PAYLOAD).speaks_for_all_parts
    assert read(deliver(KANNEL), receipts=ReceiptsOfParts.FIRST).speaks_for_known_parts


@pytest.mark.parametrize(
    ("text", "esm_class", "alike"),
    [
        (KANNEL, 0, True),
        (KANNEL, 0x40, False),
        (KANNEL, 0x10, False),
        (b"id:1 stat:DELIVRD", 0, True),
        (b"STOP", 0, False),
        (b"my id: 12345678", 0, False),
        (b"stat:DELIVRD", 0, False),
    ],
)
def test_a_text_looks_like_a_receipt_with_an_id_and_a_state(text: bytes, esm_class: int, alike: bool) -> None:
    assert looks_like_receipt(deliver(text, esm_class=esm_class)) is alike


@pytest.mark.parametrize(
    ("digits", "instant"),
    [
        ("2411150931", datetime(2024, 11, 15, 9, 31, tzinfo=UTC)),
        ("241115093159", datetime(2024, 11, 15, 9, 31, 59, tzinfo=UTC)),
        ("20241115093159", datetime(2024, 11, 15, 9, 31, 59, tzinfo=UTC)),
        ("2413150931", None),
        ("241115099931", None),
        ("24111509", None),
        ("0000000000", None),
    ],
)
def test_dates_of_each_length(digits: str, instant: datetime | None) -> None:
    assert parse_receipt_text(f"id:1 done date:{digits} stat:DELIVRD").done_at == instant


def test_parameters_win_over_the_text() -> None:
    receipt = read(
        deliver(
            b"id:111 stat:DELIVRD err:001",
            smpp34.Tlv(TLV_RECEIPTED_MESSAGE_ID, b"222\0"),
            smpp34.Tlv(TLV_MESSAGE_STATE, b"\x05"),
            smpp34.Tlv(TLV_NETWORK_ERROR_CODE, b"\x03\x00\x1b"),
        )
    )
    assert receipt.carrier_message_id == "222"
    assert receipt.state is ReceiptState.UNDELIVERABLE
    assert receipt.network_error == "3:27"


def test_parameters_without_any_text_are_enough() -> None:
    receipt = read(deliver(b"", smpp34.Tlv(TLV_RECEIPTED_MESSAGE_ID, b"AB\0"), smpp34.Tlv(TLV_MESSAGE_STATE, b"\x02")))
    assert (receipt.carrier_message_id, receipt.state) == ("AB", ReceiptState.DELIVERED)


def test_parameters_of_a_wrong_length_or_value_leave_the_text_in_force() -> None:
    receipt = read(
        deliver(
            b"id:111 stat:DELIVRD err:005",
            smpp34.Tlv(TLV_RECEIPTED_MESSAGE_ID, b"\0"),
            smpp34.Tlv(TLV_MESSAGE_STATE, b"\x63"),
            smpp34.Tlv(TLV_MESSAGE_STATE, b""),
            smpp34.Tlv(TLV_NETWORK_ERROR_CODE, b"\x03"),
        )
    )
    assert receipt.carrier_message_id == "111"
    assert receipt.state is ReceiptState.DELIVERED
    assert receipt.network_error == "005"


@pytest.mark.parametrize(
    ("text", "tlvs", "error"),
    [
        (b"id:I77 stat:UNDELIV err:027", (), "027"),
        (b"id:I77 stat:DELIVRD err:027", (), "027"),
        (
            b"",
            ((TLV_RECEIPTED_MESSAGE_ID, b"I77\0"), (TLV_MESSAGE_STATE, b"\5"), (TLV_NETWORK_ERROR_CODE, b"\3\0\x1b")),
            "3:27",
        ),
    ],
    ids=["text that fails it", "text that delivers it", "parameters"],
)
def test_a_notification_on_the_way_is_never_the_last_word(
    text: bytes, tlvs: tuple[tuple[int, bytes], ...], error: str
) -> None:
    receipt = read(deliver(text, *(smpp34.Tlv(*tlv) for tlv in tlvs), esm_class=0x20))
    assert (receipt.carrier_message_id, receipt.state) == ("I77", ReceiptState.ENROUTE)
    assert receipt.network_error == error


@pytest.mark.parametrize(
    "octets",
    [
        b"\xfe\xff" + "id:A1 stat:DELIVRD".encode("utf-16-be"),
        b"\xff\xfe" + "id:A1 stat:DELIVRD".encode("utf-16-le"),
        "id:A1 stat:DELIVRD".encode("utf-16-be"),
        b"\xef\xbb\xbfid:A1 stat:DELIVRD",
    ],
)
def test_a_byte_order_mark_hides_no_receipt(octets: bytes) -> None:
    receipt = read(deliver(octets))
    assert (receipt.carrier_message_id, receipt.state) == ("A1", ReceiptState.DELIVERED)


def test_a_receipt_that_names_no_message_is_none() -> None:
    assert reader().receipt(deliver(b"stat:DELIVRD")) is None


def test_the_quoted_message_is_neither_believed_nor_kept() -> None:
    receipt = read(deliver(b"id:7 err:000 text:id:9 stat:DELIVRD Your OTP is 123456"))
    assert receipt.carrier_message_id == "7"
    assert receipt.state is ReceiptState.UNKNOWN
    assert "123456" not in receipt.raw


def test_a_text_from_a_phone_that_looks_like_a_receipt_is_none() -> None:
    assert not is_receipt(deliver(KANNEL, esm_class=0))
    assert is_receipt(deliver(KANNEL))
    assert is_receipt(deliver(b"", smpp34.Tlv(TLV_RECEIPTED_MESSAGE_ID, b"1\0"), esm_class=0))
    assert is_receipt(deliver(KANNEL, esm_class=0x20))


@pytest.mark.parametrize(
    ("digits", "ton", "phone"),
    [
        ("254712345678", 1, "+254712345678"),
        ("+254712345678", 0, "+254712345678"),
        ("00254712345678", 0, "+254712345678"),
        ("254712345678", 0, "+254712345678"),
        ("0712345678", 0, None),
        ("712345678", 2, None),
        ("SAFARICOM", 5, None),
        ("", 0, None),
    ],
)
def test_the_phone_is_named_only_when_it_is_certain(digits: str, ton: int, phone: str | None) -> None:
    message = smpp34.DeliverSm(digits, "", b"id:1 stat:DELIVRD", esm_class=4, source_addr_ton=ton, sequence_number=1)
    receipt = read(message)
    assert receipt.recipient == phone
    assert receipt.sender_id is None


@given(text=st.binary(max_size=254), tag=st.sampled_from([0x1E, 0x423, 0x427, 0x424]), value=st.binary(max_size=300))
def test_any_octets_make_a_receipt_that_a_database_can_hold(text: bytes, tag: int, value: bytes) -> None:
    receipt = reader().receipt(deliver(text, smpp34.Tlv(tag, value)))
    if receipt is not None:
        for field in (receipt.carrier_message_id, receipt.raw, receipt.network_error or ""):
            assert "\x00" not in field
            assert len(field) <= 400
            field.encode()


def test_fields_inside_the_quoted_message_are_not_read() -> None:
    fields = parse_receipt_text("id:7 Text: stat:DELIVRD err:009 done date:2411150931")
    assert (fields.message_id, fields.word, fields.error, fields.done_at) == ("7", None, None, None)
