"""Our PDUs read by an SMPP implementation that is not ours, and the other way round."""

from __future__ import annotations

import contextlib
import struct

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.smpp.codec import pdu as codec
from messaging_service.carriers.smpp.codec.addresses import Address
from messaging_service.carriers.smpp.codec.framing import PduError
from messaging_service.carriers.smpp.parts import PartMaker
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.texts import gsm7
from messaging_service.texts.segmentation import segment

WORDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=15)
SEQUENCES = st.integers(min_value=1, max_value=codec.MAX_SEQUENCE)
SETTINGS = SmppSettings("127.0.0.1", 2775, "id", "secret")
SENDER = Address(5, 0, "TUKUPAY")
RECIPIENT = Address(1, 1, "254712345678")
READERS = (
    codec.submit_sm_in,
    codec.deliver_sm_in,
    codec.data_sm_in,
    codec.bind_in,
    codec.message_id_in,
    codec.header_of,
)


@given(system_id=WORDS, password=WORDS, system_type=WORDS, sequence=SEQUENCES)
def test_a_bind_request_reads_back_as_written(system_id: str, password: str, system_type: str, sequence: int) -> None:
    bind = codec.Bind(system_id, password, system_type, codec.INTERFACE_VERSION)
    octets = codec.bind_request(codec.Command.BIND_TRANSCEIVER, sequence, bind)
    foreign = smpp34.decode(octets)
    assert isinstance(foreign, smpp34.RawPdu)
    assert (foreign.command_id, foreign.sequence_number) == (0x09, sequence)
    assert codec.bind_in(octets) == bind


def test_a_bind_request_has_every_field_of_the_specification() -> None:
    octets = codec.bind_request(0x09, 1, codec.Bind("tuku", "secret", "VMA", 0x34))
    assert octets == (bytes.fromhex("00000024 00000009 00000000 00000001") + b"tuku\0secret\0VMA\0" + b"\x34\0\0\0")


@pytest.mark.parametrize("bad", ["é", "a\x00b"])
def test_a_string_that_the_wire_cannot_hold_is_no_bind_request(bad: str) -> None:
    for bind in (codec.Bind(bad, "", ""), codec.Bind("tuku", "", "", address_range=bad)):
        with pytest.raises(PduError):
            codec.bind_request(0x09, 1, bind)


def test_a_bind_request_names_the_addresses_that_it_serves() -> None:
    bind = codec.Bind("tuku", "secret", "VMA", 0x33, addr_ton=1, addr_npi=9, address_range="^2214[1-3]$")
    octets = codec.bind_request(0x09, 1, bind)
    assert octets.endswith(b"VMA\0\x33\x01\x09^2214[1-3]$\0")
    assert codec.bind_in(octets) == bind


def test_a_bind_request_that_ends_after_its_version_is_for_all_addresses() -> None:
    octets = codec.with_body(0x09, 1, b"tuku\0secret\0VMA\0\x34")
    assert codec.bind_in(octets) == codec.Bind("tuku", "secret", "VMA", 0x34)


@given(status=st.integers(min_value=0, max_value=0xFFFFFFFF), sequence=SEQUENCES, message_id=WORDS)
def test_an_answer_with_a_message_id_reads_back(status: int, sequence: int, message_id: str) -> None:
    octets = codec.message_id_answer(codec.SUBMIT_SM_RESP, sequence, message_id, status)
    foreign = smpp34.decode(octets)
    assert isinstance(foreign, smpp34.RawPdu)
    assert (foreign.command_status, foreign.sequence_number) == (status, sequence)
    assert foreign.body == message_id.encode() + b"\0"
    assert codec.header_of(octets) == (len(octets), codec.SUBMIT_SM_RESP, status, sequence)
    assert codec.message_id_in(octets) == message_id


@pytest.mark.parametrize(
    ("body", "message_id"),
    [(b"", ""), (b"\0", ""), (b"1A", "1A"), (b"1A\0rest", "1A"), (b"\xff1\0", "\ufffd1"), (b"7" * 999, "7" * 255)],
)
def test_answers_of_careless_carriers_still_give_their_message_id(body: bytes, message_id: str) -> None:
    assert codec.message_id_in(codec.with_body(codec.SUBMIT_SM_RESP, 1, body)) == message_id


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400), sequence=SEQUENCES)
def test_the_parts_of_a_text_give_it_back_on_the_other_side(text: str, sequence: int) -> None:
    cut = segment(text)
    received = ""
    references = set()
    parts = PartMaker(SETTINGS).parts_of(SENDER, RECIPIENT, cut)
    assert len(parts) == cut.units
    for number, part in enumerate(parts, 1):
        pdu = _foreign_submit(part.encode(sequence))
        octets = pdu.short_message
        if len(parts) > 1:
            assert pdu.esm_class == 0x40
            assert octets[:3] == b"\x05\x00\x03"
            assert octets[4:6] == bytes((len(parts), number))
            references.add(octets[3])
            octets = octets[6:]
        else:
            assert pdu.esm_class == 0
        gsm = cut.encoding is Encoding.GSM7
        assert pdu.data_coding == (0 if gsm else 8)
        received += gsm7.decode_unpacked(octets) if gsm else octets.decode("utf-16-be")
        assert pdu.registered_delivery == 1
        assert len(pdu.short_message) <= 160
    assert received == text
    assert len(references) <= 1


def test_a_submit_has_the_octets_of_the_specification() -> None:
    (part,) = PartMaker(SETTINGS).parts_of(SENDER, RECIPIENT, segment("Hi @"))
    body = (
        b"\0"  # service_type
        + b"\x05\x00TUKUPAY\0"
        + b"\x01\x01254712345678\0"
        + b"\x00\x00\x00"  # esm_class, protocol_id, priority_flag
        + b"\0\0"  # schedule_delivery_time, validity_period
        + b"\x01\x00\x00\x00"  # registered_delivery, replace_if_present, data_coding, default message
        + b"\x04Hi \x00"
    )
    assert part.encode(7) == struct.pack(">IIII", 16 + len(body), 4, 0, 7) + body


def test_a_text_in_message_payload_is_read() -> None:
    payload = smpp34.Tlv(codec.TLV_MESSAGE_PAYLOAD, b"x" * 1_000)
    pdu = smpp34.SubmitSm("A", "254700000099", b"", tlvs=[payload], sequence_number=1).encode()
    assert codec.message_octets(codec.submit_sm_in(pdu)) == b"x" * 1_000


def test_octets_outside_ascii_in_an_address_do_not_lose_the_message() -> None:
    good = smpp34.DeliverSm("AAAA", "254700000099", b"hi", sequence_number=1).encode()
    message = codec.deliver_sm_in(good.replace(b"AAAA", b"\xff\x80AA"))
    assert message.short_message == b"hi"
    assert message.destination_addr == "254700000099"


def test_a_submit_cut_short_is_malformed() -> None:
    good = smpp34.SubmitSm("A", "254700000099", b"hello", sequence_number=1).encode()
    for length in range(17, len(good) - 1):
        cut = struct.pack(">I", length) + good[4:length]
        with pytest.raises(PduError):
            codec.submit_sm_in(cut)


def test_an_answer_is_no_submit() -> None:
    with pytest.raises(PduError):
        codec.submit_sm_in(codec.bare(codec.ENQUIRE_LINK, 1))
    with pytest.raises(PduError):
        codec.deliver_sm_in(codec.bare(codec.ENQUIRE_LINK, 1))


@given(
    command=st.sampled_from([*codec.Command, *(codec.RESPONSE | c for c in codec.Command), 0x103, 0]),
    body=st.binary(max_size=400),
)
def test_garbage_is_a_pdu_error_or_nothing(command: int, body: bytes) -> None:
    octets = codec.with_body(command, 1, body)
    for read in READERS:
        with contextlib.suppress(PduError):
            read(octets)


@given(st.binary(max_size=15))
def test_less_than_a_header_is_a_pdu_error(octets: bytes) -> None:
    with pytest.raises(PduError):
        codec.header_of(octets)


def _foreign_submit(octets: bytes) -> smpp34.SubmitSm:
    decoded = smpp34.decode(octets)
    assert isinstance(decoded, smpp34.SubmitSm)
    return decoded
