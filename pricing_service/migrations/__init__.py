"""Numbered migrations of the pricing database, and where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).resolve().parent
