"""What phones write, and how carriers spell it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.domain.submission import canonical_carrier_id
from messaging_service.carriers.smpp.codec import pdu as codec
from messaging_service.carriers.smpp.codec.alphabets import text_in
from messaging_service.carriers.smpp.codec.framing import PduError
from messaging_service.carriers.smpp.codec.message_ids import id_reader
from messaging_service.carriers.smpp.phone_messages import NotInbound, inbound_in
from messaging_service.carriers.smpp.smpp_settings import IdSpelling, InboundAlphabet, SmppSettings
from messaging_service.opt_outs.domain.inbound import InboundMessage

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
PHONE = "254712345678"


def read(message: smpp34.DeliverSm, **changes: Any) -> InboundMessage:
    settings = SmppSettings("127.0.0.1", 2775, "id", "secret", **changes)
    return inbound_in("carrier", message, settings, now=lambda: NOW)


def written(octets: bytes, **fields: Any) -> smpp34.DeliverSm:
    return smpp34.DeliverSm(PHONE, "22141", octets, **{"source_addr_ton": 1, **fields})


def test_a_message_names_the_phone_and_whom_it_wrote_to() -> None:
    assert read(written(b"STOP")) == InboundMessage("carrier", "+254712345678", "22141", "STOP", False, NOW)


@pytest.mark.parametrize(
    ("octets", "fields", "text"),
    [
        (b"\x00 50\x1be", {}, "@ 50€"),
        ("Olá".encode("latin-1"), {}, "Olá"),
        ("Olá".encode("latin-1"), {"data_coding": 3}, "Olá"),
        (b"a@b", {"data_coding": 1}, "a@b"),
        ("Acha 😀".encode("utf-16-be"), {"data_coding": 8}, "Acha 😀"),
        ("Acha".encode("utf-16-be") + b"\xd8", {"data_coding": 8}, "Acha\ufffd"),
        (b"\xfe\xff" + "STOP".encode("utf-16-be"), {"data_coding": 8}, "STOP"),
        (b"\xff\xfe" + "STOP".encode("utf-16-le"), {"data_coding": 8}, "STOP"),
        ("Стоп".encode("iso8859-5"), {"data_coding": 6}, "Стоп"),
        (b"\x00", {"data_coding": 241}, "@"),
        (b"\x00", {"data_coding": 0x10}, "@"),
        ("Ж".encode("utf-16-be"), {"data_coding": 0x18}, "Ж"),
        (b"\x00", {"data_coding": 0x40}, "@"),
        (b"\x00", {"data_coding": 0x51}, "@"),
        ("Ж".encode("utf-16-be"), {"data_coding": 0x48}, "Ж"),
        ("Ж".encode("utf-16-be"), {"data_coding": 0x59}, "Ж"),
        (b"\x00", {"data_coding": 0xC0}, "@"),
        (b"\x00", {"data_coding": 0xD9}, "@"),
        ("Ж".encode("utf-16-be"), {"data_coding": 0xE0}, "Ж"),
        ("Olá, señor".encode(), {}, "Olá, señor"),
        ("Стоп".encode(), {"data_coding": 1}, "Стоп"),
        ("Стоп".encode(), {"data_coding": 3}, "Стоп"),
        (b"\xef\xbb\xbfSTOP", {}, "STOP"),
        (b"\x05\x00\x03\x07\x02\x01STOP", {"esm_class": 0x40}, "STOP"),
        (b"\xff\x00", {"esm_class": 0x40}, ""),
        (b"", {"tlvs": [smpp34.Tlv(0x0424, b"long")]}, "long"),
        (b"S\x00TOP", {"data_coding": 3}, "STOP"),
    ],
)
def test_a_text_reads_as_the_phone_showed_it(octets: bytes, fields: dict[str, Any], text: str) -> None:
    assert read(written(octets, **fields)).text == text


def test_the_alphabet_of_data_coding_0_is_a_setting() -> None:
    assert read(written(b"a@b")).text == "a¡b"
    assert read(written(b"a@b"), inbound_alphabet=InboundAlphabet.LATIN1).text == "a@b"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (smpp34.DeliverSm("MPESA", "22141", b"Hi", source_addr_ton=5), "no phone number"),
        (smpp34.DeliverSm("40404", "22141", b"Hi", source_addr_ton=1), "no phone number"),
        (smpp34.DeliverSm("0712345678", "22141", b"Hi", source_addr_ton=2), "no phone number"),
    ],
)
def test_what_cannot_be_kept_says_why(message: smpp34.DeliverSm, why: str) -> None:
    with pytest.raises(NotInbound, match=why):
        read(message)


@pytest.mark.parametrize("data_coding", [2, 4, 0x14, 0x44, 0x4C, 0x60, 0x80, 0xF5])
def test_what_is_no_text_is_kept_without_it(data_coding: int) -> None:
    message = read(written(b"\x01\x02", data_coding=data_coding))
    assert (message.phone, message.sender_id, message.text) == ("+254712345678", "22141", None)


def test_a_national_number_is_made_international_where_the_country_is_set() -> None:
    message = smpp34.DeliverSm("0712345678", "22141", b"STOP", source_addr_ton=2)
    assert read(message, country_code="254").phone == "+254712345678"


@given(octets=st.binary(max_size=80), data_coding=st.integers(0, 255), alphabet=st.sampled_from(InboundAlphabet))
def test_no_octets_are_too_strange(octets: bytes, data_coding: int, alphabet: InboundAlphabet) -> None:
    text = text_in(octets, data_coding, alphabet)
    if text is not None:
        assert "\x00" not in text
        assert text.encode().decode() == text


def data_sm(body: bytes) -> bytes:
    return codec.with_body(codec.DATA_SM, 5, body)


def test_a_data_sm_reads_like_a_deliver_sm() -> None:
    body = b"CMT\0\x01\x01254712345678\0\x03\x0022141\0\x04\x00\x00" + b"\x04\x24\x00\x04id:7" + b"\x00\x1e\x00\x021\0"
    message = codec.data_sm_in(data_sm(body))
    assert (message.source_addr_ton, message.source_addr_npi, message.source_addr) == (1, 1, PHONE)
    assert (message.dest_addr_ton, message.destination_addr) == (3, "22141")
    assert (message.esm_class, codec.message_octets(message)) == (4, b"id:7")
    assert [(tlv.tag, tlv.value) for tlv in message.tlvs] == [(0x0424, b"id:7"), (0x001E, b"1\0")]


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1\1254", b"\0\1\1254\0\1\1221\0", b"\0\1\1254\0\1\1221\0\0\0"])
def test_a_data_sm_that_ends_early_is_malformed(body: bytes) -> None:
    with pytest.raises(PduError):
        codec.data_sm_in(data_sm(body))


@pytest.mark.parametrize(
    ("submit_ids", "receipt_ids", "receipt", "submit"),
    [
        (IdSpelling.TEXT, IdSpelling.TEXT, "0A1F", "a1f"),
        (IdSpelling.DECIMAL, IdSpelling.HEX, "000000FF", "255"),
        (IdSpelling.DECIMAL, IdSpelling.HEX, "ff", "0255"),
        (IdSpelling.HEX, IdSpelling.DECIMAL, "0000000255", "000000FF"),
        (IdSpelling.HEX, IdSpelling.DECIMAL, "18446744073709551615", "ffffffffffffffff"),
        (IdSpelling.HEX, IdSpelling.HEX, "00ff", "FF"),
        (IdSpelling.DECIMAL, IdSpelling.HEX, "not-hex", "NOT-HEX"),
        (IdSpelling.HEX, IdSpelling.DECIMAL, "12a", "12A"),
    ],
)
def test_the_two_spellings_of_an_id_meet(
    submit_ids: IdSpelling, receipt_ids: IdSpelling, receipt: str, submit: str
) -> None:
    assert canonical_carrier_id(id_reader(submit_ids, receipt_ids)(receipt)) == canonical_carrier_id(submit)
