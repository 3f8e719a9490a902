"""Words of an enumeration within SQL."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


def quoted(words: Iterable[StrEnum]) -> str:
    """Words as they stand in a list of SQL."""
    return ", ".join(f"'{word.value}'" for word in words)
