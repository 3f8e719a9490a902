"""How a phone knows which parts belong together (3GPP TS 23.040 section 9.2.3.24.1)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_REFERENCES: Final = 256
_REMEMBERED_RECIPIENTS: Final = 20_000


class ConcatenationReferences:
    """Allots the 8-bit reference that tells a phone which parts belong together.

    Each recipient has its own count, so a reference comes again only after 255 other long messages to
    the same phone. A phone that is new here starts anywhere, as another process may be writing to it too.
    """

    def __init__(
        self,
        remembered: int = _REMEMBERED_RECIPIENTS,
        random_reference: Callable[[], int] = lambda: secrets.randbelow(_REFERENCES),
    ) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self._remembered = remembered
        self._random_reference = random_reference

    def allot(self, recipient: str) -> int:
        """The next reference for this phone, 0 to 255."""
        last = self._last.pop(recipient, None)
        reference = self._random_reference() if last is None else (last + 1) % _REFERENCES
        self._last[recipient] = reference
        if len(self._last) > self._remembered:
            self._last.popitem(last=False)
        return reference
