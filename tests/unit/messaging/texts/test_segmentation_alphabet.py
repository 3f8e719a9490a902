"""The GSM 7-bit default alphabet, against an independent codec."""

from __future__ import annotations

import codecs
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.texts import gsm7

# Importing it registers the codec "gsm03.38".
importlib.import_module("gsm0338")

ALPHABET = gsm7.BASIC.replace(gsm7.ESCAPE, "") + "".join(gsm7.EXTENSION)


def oracle_knows(character: str) -> bool:
    try:
        codecs.encode(character, "gsm03.38")
    except UnicodeEncodeError:
        return False
    return True


def test_the_alphabet_is_that_of_an_independent_codec_over_all_of_the_basic_plane() -> None:
    known = {chr(code) for code in range(0x10000) if oracle_knows(chr(code))}

    # The codec lets the escape itself through; alone it is no character.
    assert known - {gsm7.ESCAPE} == {chr(code) for code in range(0x10000) if gsm7.is_gsm7(chr(code))}


def test_the_tables_have_the_sizes_of_the_standard() -> None:
    assert len(gsm7.BASIC) == len(set(gsm7.BASIC)) == 128
    assert gsm7.BASIC[0x1B] == gsm7.ESCAPE
    assert len(gsm7.EXTENSION) == 10
    assert not set(gsm7.EXTENSION) & set(gsm7.BASIC)


@pytest.mark.parametrize(
    ("character", "octets"),
    [
        ("@", "00"),
        ("Ç", "09"),
        ("\n", "0a"),
        ("\r", "0d"),
        ("Δ", "10"),
        ("_", "11"),
        ("Ω", "15"),
        ("Ξ", "1a"),
        ("¤", "24"),
        ("¡", "40"),
        ("¿", "60"),
        ("à", "7f"),
        ("\f", "1b0a"),
        ("^", "1b14"),
        ("\\", "1b2f"),
        ("|", "1b40"),
        ("€", "1b65"),
    ],
)
def test_a_character_has_the_code_of_the_standard(character: str, octets: str) -> None:
    assert gsm7.encode_unpacked(character).hex() == octets
    assert gsm7.decode_unpacked(bytes.fromhex(octets)) == character


@given(st.text(st.sampled_from(ALPHABET)))
def test_octets_are_those_of_an_independent_codec(text: str) -> None:
    octets = gsm7.encode_unpacked(text)

    assert octets == codecs.encode(text, "gsm03.38")
    assert gsm7.septets(text) == len(octets)


@given(st.text(st.sampled_from(ALPHABET)))
def test_what_is_encoded_is_decoded_to_the_same_text(text: str) -> None:
    assert gsm7.decode_unpacked(gsm7.encode_unpacked(text)) == text


@given(st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets)))
def test_a_phone_shows_something_for_any_septets(octets: bytes) -> None:
    shown = gsm7.decode_unpacked(octets)

    assert gsm7.is_gsm7(shown)
    assert len(shown) <= len(octets)


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        pytest.param("61 1b 41", "aA", id="a code that the extension table lacks"),
        pytest.param("61 1b 1b 62", "a b", id="two escapes"),
        pytest.param("61 1b", "a ", id="an escape at the end"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_an_escape_without_meaning_is_shown_as_the_standard_says(octets: str, shown: str) -> None:
    assert gsm7.decode_unpacked(bytes.fromhex(octets)) == shown


def test_an_octet_that_is_no_septet_is_refused() -> None:
    with pytest.raises(ValueError, match="0x80"):
        gsm7.decode_unpacked(b"a\x80")


@pytest.mark.parametrize("character", ["ç", "`", "\t", "\x1b", "\x00", "α", "ж", "😀", "\ud800", "’"])
def test_a_character_outside_the_alphabet_is_refused_without_being_repeated(character: str) -> None:
    assert not gsm7.is_gsm7(character)
    for refuse in (gsm7.encode_unpacked, gsm7.septets):
        with pytest.raises(ValueError, match="outside the GSM 7-bit default alphabet") as refusal:
            refuse(f"code{character}")
        assert "code" not in str(refusal.value)
        assert character not in str(refusal.value)
