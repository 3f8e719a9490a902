"""What the sandbox does with which number, and what its phones show."""

from __future__ import annotations

from pathlib import Path

import phonenumbers
import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.texts import gsm7
from sandbox_carriers.smpp.behaviours import (
    BEHAVIOURS,
    MARKERS,
    Behaviour,
    behaviour_in_text,
    behaviour_of_number,
)
from sandbox_carriers.smpp.sandbox_settings import SandboxSettings
from sandbox_carriers.smpp.texts import fragment_in, text_of
from service_kit.settings import Address, SettingsError, load

GUIDE = Path(__file__).parents[5] / "docs" / "guides" / "sandbox.md"


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_each_magic_number_is_a_valid_phone_and_in_the_guide(behaviour: Behaviour) -> None:
    number = f"+{behaviour.number}"
    assert phonenumbers.is_valid_number(phonenumbers.parse(number))
    guide = GUIDE.read_text()
    assert f"| `{number}` | `[sandbox:{behaviour.name}]` | {behaviour.effect} |" in guide
    assert behaviour_of_number(behaviour.number) is behaviour
    assert behaviour_in_text(f"x [sandbox:{behaviour.name}] y") is behaviour


def test_no_two_behaviours_share_a_name_or_a_number() -> None:
    assert len({b.name for b in BEHAVIOURS}) == len({b.number for b in BEHAVIOURS}) == len(BEHAVIOURS)


def test_an_unknown_word_or_number_is_nothing_special() -> None:
    assert behaviour_in_text("[sandbox:fly]") is None
    assert behaviour_in_text("sandbox:refuse") is None
    assert behaviour_of_number("254712345678") is None


@pytest.mark.parametrize("octets", [gsm7.encode_unpacked("[sandbox:slow]"), "ж [sandbox:slow]".encode("utf-16-be")])
def test_the_marker_is_seen_in_either_encoding(octets: bytes) -> None:
    assert any(marker in octets for marker in MARKERS)


@given(st.text(st.sampled_from(gsm7.BASIC.replace(gsm7.ESCAPE, "") + "".join(gsm7.EXTENSION))))
def test_phones_show_every_gsm_text(text: str) -> None:
    assert text_of(gsm7.encode_unpacked(text), 0) == text


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"\x80a", 0, "\ufffda"),
        (b"caf\xe9", 3, "café"),
        (b"\x04\x36", 8, "ж"),
        (b"\xd8\x3d", 8, "\ufffd"),
        (b"\x01\xff", 4, "01ff"),
    ],
)
def test_phones_show_something_for_any_octets(octets: bytes, data_coding: int, text: str) -> None:
    assert text_of(octets, data_coding) == text


@pytest.mark.parametrize(
    ("octets", "place"),
    [
        (b"\x05\x00\x03\x07\x02\x01hello", (b"hello", 7, 2, 1)),
        (b"\x06\x08\x04\x01\x02\x03\x02hello", (b"hello", 258, 3, 2)),
        (b"\x03\x24\x01\x00hello", (b"hello", 0, 1, 1)),
        (b"\x05\x00\x03\x07\x02\x05hello", (b"hello", 0, 1, 1)),
        (b"\x00hello", (b"hello", 0, 1, 1)),
        (b"\xffhello", (b"\xffhello", 0, 1, 1)),
        (b"", (b"", 0, 1, 1)),
    ],
)
def test_the_user_data_header_tells_the_place_of_a_part(octets: bytes, place: tuple[bytes, int, int, int]) -> None:
    assert fragment_in(smpp34.SubmitSm("A", "1", octets, esm_class=0x40)) == place


def test_sar_parameters_tell_the_place_of_a_part() -> None:
    tlvs = [smpp34.Tlv(0x020C, b"\x01\x02"), smpp34.Tlv(0x020E, b"\x03"), smpp34.Tlv(0x020F, b"\x02")]
    assert fragment_in(smpp34.SubmitSm("A", "1", b"x", tlvs=tlvs)) == (b"x", 258, 3, 2)


def test_an_open_address_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"SANDBOX_SMPP_ADDRESS"):
        load(SandboxSettings, {"SANDBOX_SMPP_ADDRESS": "0.0.0.0:2775"})
    with pytest.raises(ValueError, match=r"192\.0\.2\.1"):
        SandboxSettings(http_address=Address("192.0.2.1", 8090))
