"""Delivery receipts of many vendors, read alike."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.adapters.carriers.smpp.receipts import (
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
    is_receipt,
    parse_receipt_text,
    receipt_in,
)
from messaging_service.domain.submission import DeliveryReceipt, ReceiptState

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


def read(message: smpp34.DeliverSm) -> DeliveryReceipt:
    receipt = receipt_in("carrier", message)
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
        ("id:1 stat:FAILED", "1", ReceiptState.UNDELIVERABLE),
        ("id:1 stat:WHATEVER", "1", None),
        ("id:1", "1", None),
        ("id: sub:001 stat:DELIVRD", None, ReceiptState.DELIVERED),
        ("sub:001 stat:DELIVRD", None, ReceiptState.DELIVERED),
        ("", None, None),
    ],
)
def test_spellings_of_vendors(text: str, message_id: str | None, state: ReceiptState | None) -> None:
    fields = parse_receipt_text(text)
    assert (fields.message_id, fields.state) == (message_id, state)


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
    assert receipt_in("carrier", deliver(b"stat:DELIVRD")) is None


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
    receipt = receipt_in("carrier", deliver(text, smpp34.Tlv(tag, value)))
    if receipt is not None:
        for field in (receipt.carrier_message_id, receipt.raw, receipt.network_error or ""):
            assert "\x00" not in field
            assert len(field) <= 400
            field.encode()


def test_fields_inside_the_quoted_message_are_not_read() -> None:
    fields = parse_receipt_text("id:7 Text: stat:DELIVRD err:009 done date:2411150931")
    assert (fields.message_id, fields.state, fields.error, fields.done_at) == ("7", None, None, None)
