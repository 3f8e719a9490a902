"""How the settings of channels are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from messaging_service.notices.domain.channels import NEVER, email_problem
from service_kit.settings import names

_MODES: Final = {"smtp": ("insecure", 25), "smtp+starttls": ("starttls", 587), "smtps": ("ssl", 465)}
_EXAMPLE: Final = "write it like smtp+starttls://user:password@mail.example.com:587"


@dataclass(frozen=True, slots=True)
class SmtpRelay:
    """Where mail is handed over."""

    host: str
    port: int
    mode: str
    """`insecure`, `starttls` or `ssl`."""
    user: str
    """Empty for a relay that knows its clients otherwise."""
    password: str = field(repr=False)


def smtp_relay(text: str) -> SmtpRelay:
    """Parses `smtp://`, `smtp+starttls://` or `smtps://` with a host; user, password and port as there are.

    Its mistakes do not repeat the text, which holds a password.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is no URL; {_EXAMPLE}") from None
    if parts.scheme not in _MODES:
        raise ValueError(f"begins with none of smtp://, smtp+starttls:// and smtps://; {_EXAMPLE}")
    if not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"is not a host with what belongs to it; {_EXAMPLE}")
    if (parts.username is None) != (parts.password is None):
        raise ValueError(f"has a user without a password, or the reverse; {_EXAMPLE}")
    mode, default = _MODES[parts.scheme]
    return SmtpRelay(host, port or default, mode, unquote(parts.username or ""), unquote(parts.password or ""))


def email_address(text: str) -> str:
    """Parses an email address."""
    if problem := email_problem(text):
        raise ValueError(problem)
    return text


def channel_services(text: str) -> frozenset[str]:
    """Parses schemas with commas between; none that acts on this machine."""
    found = frozenset(name.lower() for name in names(text))
    if wrong := sorted(found & NEVER):
        raise ValueError(f"{wrong[0]!r} cannot be allowed: it acts on this machine, or has another way out")
    return found
