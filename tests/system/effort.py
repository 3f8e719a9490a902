"""How much a test tries: little each time the suite runs, much in the campaigns of `make faults`."""

from __future__ import annotations

import os
from typing import Final

LONG: Final = "TUKUPAY_LONG"
"""The environment variable that makes tests long."""
IS_LONG: Final = os.environ.get(LONG, "") not in {"", "0"}


def effort(usual: int, long: int) -> int:
    """How many examples, rounds or kills to try."""
    return long if IS_LONG else usual
