"""Conditions on opt-outs that statements of several rooms share."""

from __future__ import annotations

from typing import Final

IS_OF_RECIPIENT: Final = "s.phone = ANY(ARRAY[m.recipient, '#' || encode(m.recipient_index, 'hex')])"
"""Whether an entry `s` is about the phone of a message `m`, also where the phone stands as its index."""
