"""Channels: places where people read what happens to an account."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.endpoints import TRY_ERRORS, EndpointKind, EventType

CHANNEL_KINDS: Final = (EndpointKind.SERVICE, EndpointKind.EMAIL)
DEFAULT_EVENTS: Final = tuple(EventType(kind.value) for kind in AlertKind)
"""What a channel gets that asks for nothing: every alert."""
CHANNEL_EVENTS: Final = (*DEFAULT_EVENTS, EventType.SMS_FAILED)
"""What a channel may ask for. Nobody wants to read about every message that was sent."""

MAX_TARGET: Final = 2_000
MAX_EMAIL: Final = 254

WELL_KNOWN: Final = frozenset(
    {
        "discord",
        "gchat",
        "ilert",
        "opsgenie",
        "pagerduty",
        "pagertree",
        "pbul",
        "pover",
        "signl4",
        "slack",
        "spike",
        "squadcast",
        "tgram",
        "webex",
        "workflow",
        "workflows",
        "wxteams",
        "zoom",
    }
)
"""Services, by the schema of their URLs, that are allowed unless an operator chooses others: messengers and duty
rosters at hosts of their own. A URL names a room there, and holds the secret to write to it."""
NEVER: Final = frozenset(
    {
        # They act on this machine.
        "blink1",
        "dbus",
        "gio",
        "glib",
        "gnome",
        "kde",
        "macosx",
        "qt",
        "syslog",
        "windows",
        # Mail goes through the operator's relay, and SMS through this system.
        "mailto",
        "mailtos",
        "smpp",
        "smpps",
    }
)
"""Services that no setting allows."""

TEXT_ERRORS: Final = (
    *TRY_ERRORS,
    "NOT_TAKEN",
    "SERVICE_NOT_ALLOWED",
    "NO_MAIL_RELAY",
    "RELAY_REFUSED",
    "ADDRESS_REFUSED",
)
"""The errors of a text."""

_ANY_DAY: Final = datetime(2020, 1, 1, tzinfo=UTC)
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def email_problem(address: str) -> str | None:
    """What is wrong with an email address, or None. Names and quoted parts are not accepted."""
    if not address:
        return "is empty; give an address such as duty@example.com"
    if len(address) > MAX_EMAIL:
        return f"has {len(address)} characters; an email address has at most {MAX_EMAIL}"
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    if not at or len(local) > 64 or not _LOCAL.fullmatch(local):
        return "is not an email address; write it like duty@example.com, without a name"
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return "has no domain behind its @; write it like duty@example.com, in punycode where it has other letters"
    return None


def url_letters_problem(url: str) -> str | None:
    """What is wrong with the letters of a service's URL, or None."""
    if not url or len(url) > MAX_TARGET:
        return f"is not 1 to {MAX_TARGET:,} characters; give the URL of a room, such as slack://…"
    if not url.isascii() or any(letter <= " " or letter == "\x7f" for letter in url):
        return "has characters that no URL has; write it percent-encoded"
    return None


def joined(now: datetime, span: timedelta, channel: UUID) -> datetime | None:
    """When a channel gets what happens now: at the end of the present span, with all else in it; None for at once.

    Spans are counted from a fixed instant, so that every process counts alike. Those of different channels start and
    end at different instants, so that not all channels are due at once.
    """
    if not span:
        return None
    begin = _ANY_DAY + span * (int.from_bytes(sha256(channel.bytes).digest()[:2]) / 65_536)
    return begin + ((now - begin) // span + 1) * span
