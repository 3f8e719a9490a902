"""Texts as octets and back, by the data_coding that announces them (SMPP 3.4 section 5.2.19)."""

from __future__ import annotations

from codecs import BOM_UTF16_LE
from typing import Final

from messaging_service.adapters.carriers.smpp.settings import InboundAlphabet, SmppSettings, TextForm
from messaging_service.domain import gsm7
from messaging_service.domain.segmentation import Encoding, Segmentation

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
_CLASSES: Final = range(0x10, 0x20)
"""With these, and those from 0xF0, a carrier hands on the coding scheme of 3GPP TS 23.038 section 4 as it is."""
_CLASSES_AND_ALPHABET: Final = range(0xF0, 0x100)
_EIGHT_BIT: Final = 0x04


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

    Octets that mean nothing read as U+FFFD, and zeros, which no database keeps in a text, are dropped.
    """
    codec = _codec(data_coding, alphabet)
    if codec is None:
        return None
    if codec == _GSM7:
        # An octet above 0x7F is no septet: such a carrier means Latin-1, whatever it says.
        text = gsm7.decode_unpacked(octets) if octets.isascii() else octets.decode("latin-1")
    elif codec == _UCS2 and octets.startswith(BOM_UTF16_LE):
        text = octets.removeprefix(BOM_UTF16_LE).decode("utf-16-le", "replace")
    else:
        text = octets.decode(codec, "replace").removeprefix("\ufeff")
    return text.replace("\x00", "")


def _codec(data_coding: int, alphabet: InboundAlphabet) -> str | None:
    if data_coding == DATA_CODING_DEFAULT:
        return _GSM7 if alphabet is InboundAlphabet.GSM7 else "latin-1"
    if data_coding in _CLASSES:
        return {0x00: _GSM7, 0x08: _UCS2}.get(data_coding & 0x0C)
    if data_coding in _CLASSES_AND_ALPHABET:
        return None if data_coding & _EIGHT_BIT else _GSM7
    return _CODECS.get(data_coding)


def without_header(octets: bytes, esm_class: int) -> bytes:
    """The user data behind its header, when it has one."""
    if esm_class & ESM_CLASS_UDH and octets:
        return octets[octets[0] + 1 :]
    return octets
