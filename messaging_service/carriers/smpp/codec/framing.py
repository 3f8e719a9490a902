"""Cuts the octets of an SMPP link into PDUs."""

from __future__ import annotations

import struct
from typing import Final

HEADER_LENGTH: Final = 16
MAX_PDU_LENGTH: Final = 69_632
"""Octets. The longest legal PDU, one with a full message_payload of 65,535 octets, fits; a longer length
is garbage, and believing it would make one link hold memory without limit."""

_LENGTH = struct.Struct(">I")


class PduError(Exception):
    """What a peer sent is no SMPP; the message names the fault and never the content."""


class FrameReader:
    """Holds the octets of an unfinished PDU between reads."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.broken = False
        """Whether a length was impossible. Nothing after it can be framed any more."""

    @property
    def held(self) -> int:
        """Octets waiting for the rest of their PDU."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The whole PDUs, header included, that these octets complete; none once the link is broken."""
        if self.broken:
            return []
        source: bytes | bytearray = data
        if self._rest:
            self._rest += data
            source = self._rest
        pdus: list[bytes] = []
        start, end = 0, len(source)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(source, start)
            if not HEADER_LENGTH <= length <= MAX_PDU_LENGTH:
                self.broken = True
                self._rest.clear()
                return pdus
            if end - start < length:
                break
            pdus.append(bytes(source[start : start + length]))
            start += length
        if source is self._rest:
            del self._rest[:start]
        elif start < end:
            self._rest += data[start:]
        return pdus
