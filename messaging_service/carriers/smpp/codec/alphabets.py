"""Texts as octets and back, by the data_coding that announces them (SMPP 3.4 section 5.2.19)."""

from __future__ import annotations

from codecs import BOM_UTF16_LE
from typing import Final

from messaging_service.carriers.smpp.smpp_settings import InboundAlphabet, SmppSettings, TextForm
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.texts import gsm7
from messaging_service.texts.segmentation import Segmentation

DATA_CODING_DEFAULT: Final = 0
DATA_CODING_ASCII: Final = 1
DATA_CODING_LATIN1: Final = 3
DATA_CODING_UCS2: Final = 8
ESM_CLASS_UDH: Final = 0x40

_GSM7: Final = "gsm7"
_UCS2: Final = "utf-16-be"
_CODECS: Final = {
    DATA_CODING_ASCII: "ascii",
    DATA_CODING_LATIN1: "latin-1",
    6: "iso8859-5",
    7: "iso8859-8",
    DATA_CODING_UCS2: _UCS2,
}
_ALPHABETS: Final = {0x00: _GSM7, 0x08: _UCS2}
"""By bits 3 and 2 of a coding scheme of 3GPP TS 23.038 section 4; the others are binary or reserved."""
_ALPHABET_BITS: Final = 0x0C
_GENERAL: Final = (*range(0x10, 0x20), *range(0x40, 0x60))
"""With these, and those from 0xC0, a carrier hands on the scheme of the air as it is. Those from 0x40 on ask the phone
to delete the message by itself; 0x20 to 0x3F and 0x60 to 0x7F are compressed."""
_WAITING_GSM7: Final = range(0xC0, 0xE0)
_WAITING_UCS2: Final = range(0xE0, 0xF0)
_CLASSES_AND_ALPHABET: Final = range(0xF0, 0x100)
_EIGHT_BIT: Final = 0x04
_MAY_BE_UTF8: Final = (_GSM7, "ascii", "latin-1")


def octets_of(cut: Segmentation, settings: SmppSettings) -> tuple[int, list[bytes]]:
    """The data_coding and the octets of each segment. Raises ValueError when one does not fit its encoding.

    The cut stays as it was charged. Latin-1 serves only where all of a GSM-7 text fits, so that all parts of a
    message travel alike; what was cut as UCS-2 stays UCS-2, as that is what the carrier would make of it.
    """
    if cut.encoding is Encoding.UCS2:
        return DATA_CODING_UCS2, [segment.encode("utf-16-be") for segment in cut.segments]
    if settings.text_form is TextForm.LATIN1:
        try:
            return DATA_CODING_LATIN1, [segment.encode("latin-1") for segment in cut.segments]
        except UnicodeEncodeError:
            pass  # A Greek capital or the euro sign: the alphabet that it was counted in has it.
    return settings.gsm7_data_coding, [gsm7.encode_unpacked(segment) for segment in cut.segments]


def text_in(octets: bytes, data_coding: int, alphabet: InboundAlphabet) -> str | None:
    """What a phone wrote; None when the data_coding says that it is no text.

    Octets that mean nothing read as U+FFFD, and zeros, which no database keeps in a text, are dropped. Some carriers
    bring UTF-8 and say something else; hardly any other text is valid UTF-8 by chance.
    """
    codec = _codec(data_coding, alphabet)
    if codec is None:
        return None
    text = _utf8(octets) if codec in _MAY_BE_UTF8 and not octets.isascii() else None
    if text is None:
        text = _decoded(octets, codec)
    return text.removeprefix("\ufeff").replace("\x00", "")


def _decoded(octets: bytes, codec: str) -> str:
    if codec == _GSM7:
        # An octet above 0x7F is no septet: such a carrier means Latin-1, whatever it says.
        return gsm7.decode_unpacked(octets) if octets.isascii() else octets.decode("latin-1")
    if codec == _UCS2 and octets.startswith(BOM_UTF16_LE):
        return octets.removeprefix(BOM_UTF16_LE).decode("utf-16-le", "replace")
    return octets.decode(codec, "replace")


def _utf8(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def _codec(data_coding: int, alphabet: InboundAlphabet) -> str | None:
    if data_coding == DATA_CODING_DEFAULT:
        return _GSM7 if alphabet is InboundAlphabet.GSM7 else "latin-1"
    if data_coding in _GENERAL:
        return _ALPHABETS.get(data_coding & _ALPHABET_BITS)
    if data_coding in _WAITING_GSM7:
        return _GSM7
    if data_coding in _WAITING_UCS2:
        return _UCS2
    if data_coding in _CLASSES_AND_ALPHABET:
        return None if data_coding & _EIGHT_BIT else _GSM7
    return _CODECS.get(data_coding)


def without_header(octets: bytes, esm_class: int) -> bytes:
    """The user data behind its header, when it has one."""
    if esm_class & ESM_CLASS_UDH and octets:
        return octets[octets[0] + 1 :]
    return octets
