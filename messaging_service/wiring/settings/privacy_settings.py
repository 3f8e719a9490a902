"""How texts are kept from those who should not read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from service_kit.settings import Address, integer, setting


def transit_url(text: str) -> str:
    """Parses the URL of a server: https, or http to this machine alone."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{text!r} is not the URL of a server, such as https://bao.internal:8200")
    if parts.scheme == "http" and not Address(parts.hostname, 0).is_loopback:
        raise ValueError("keys go over https only, but to this machine")
    return text


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
    transit_url: str | None = setting(
        "MESSAGING_TRANSIT_URL",
        "OpenBao or Vault whose transit engine wraps the data keys of texts, such as https://bao.internal:8200; keys "
        "of MESSAGING_KEK_FILE, where it is set too, only unwrap then",
        parse=transit_url,
        default=None,
        guide="guides/privacy.md",
    )
    transit_key: str = setting(
        "MESSAGING_TRANSIT_KEY", "name of the key in the transit engine, of type aes256-gcm96", default="tukupay-sms"
    )
    transit_mount: str = setting("MESSAGING_TRANSIT_MOUNT", "where the transit engine is mounted", default="transit")
    transit_token_file: Path | None = setting(
        "MESSAGING_TRANSIT_TOKEN_FILE",
        "file with the token for the transit engine; read at each call, so that an agent may renew it",
        parse=Path,
        default=None,
        default_text="required with `MESSAGING_TRANSIT_URL`",
    )
    transit_ca_file: Path | None = setting(
        "MESSAGING_TRANSIT_CA_FILE",
        "certificates in PEM that the transit engine is checked against; unset: those of the system",
        parse=Path,
        default=None,
    )
    text_retention_days: int = setting(
        "SMS_TEXT_RETENTION_DAYS",
        "days that texts, custom data and carriers' words are kept, for accounts that have no other term; 0 for ever",
        parse=integer(0, 3_650),
        default=0,
        guide="guides/privacy.md",
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a transit engine without a token."""
        if self.transit_url is not None and self.transit_token_file is None:
            raise ValueError("MESSAGING_TRANSIT_URL needs MESSAGING_TRANSIT_TOKEN_FILE")
