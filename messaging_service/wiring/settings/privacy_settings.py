"""How texts are kept from those who should not read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service_kit.settings import integer, setting


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Keys and retention of texts."""

    kek_file: Path | None = setting(
        "MESSAGING_KEK_FILE",
        "file with the keys that wrap the data keys of texts, one a line as name:base64 of 32 bytes; the first one "
        "wraps, all of them unwrap; unset: texts are stored as they are",
        parse=Path,
        default=None,
        guide="guides/privacy.md",
    )
    text_retention_days: int = setting(
        "SMS_TEXT_RETENTION_DAYS",
        "days that texts, custom data and carriers' words are kept, for accounts that have no other term; 0 for ever",
        parse=integer(0, 3_650),
        default=0,
        guide="guides/privacy.md",
    )
