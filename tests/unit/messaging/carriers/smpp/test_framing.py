"""Octets of a link become PDUs, however the network cut them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.smpp.codec.framing import MAX_PDU_LENGTH, FrameReader
from messaging_service.carriers.smpp.codec.pdu import with_body

PDUS = st.lists(st.binary(max_size=300).map(lambda body: with_body(0x05, 1, body)), max_size=12)


@given(pdus=PDUS, cuts=st.lists(st.integers(min_value=0, max_value=4_000), max_size=20))
def test_any_cutting_of_the_octets_gives_the_same_pdus(pdus: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(pdus)
    places = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})
    reader = FrameReader()
    read = [pdu for start, end in pairwise(places) for pdu in reader.feed(octets[start:end])]
    assert read == pdus
    assert reader.held == 0
    assert not reader.broken


def test_an_unfinished_pdu_is_held_until_its_rest_comes() -> None:
    pdu = with_body(0x05, 1, b"body")
    reader = FrameReader()
    assert reader.feed(pdu[:7]) == []
    assert reader.held == 7
    assert reader.feed(pdu[7:]) == [pdu]


def test_a_length_shorter_than_a_header_breaks_the_link() -> None:
    reader = FrameReader()
    good = with_body(0x05, 1, b"")
    assert reader.feed(good + (15).to_bytes(4, "big") + bytes(12)) == [good]
    assert reader.broken
    assert reader.feed(good) == []


def test_a_length_beyond_the_longest_pdu_breaks_the_link_before_it_is_believed() -> None:
    reader = FrameReader()
    assert reader.feed((MAX_PDU_LENGTH + 1).to_bytes(4, "big")) == []
    assert reader.broken
    assert reader.held == 0


def test_the_longest_pdu_passes() -> None:
    pdu = with_body(0x05, 1, bytes(MAX_PDU_LENGTH - 16))
    assert FrameReader().feed(pdu) == [pdu]


@given(st.lists(st.binary(max_size=2_000), max_size=30))
def test_garbage_never_makes_a_reader_hold_more_than_one_pdu(chunks: list[bytes]) -> None:
    reader = FrameReader()
    for chunk in chunks:
        reader.feed(chunk)
        assert reader.held <= MAX_PDU_LENGTH + len(chunk)
