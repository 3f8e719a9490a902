"""What settings of tracing mean. Each service gives the variables their names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from service_kit.settings import env_of

GUIDE: Final = "guides/tracing.md"
ENDPOINT: Final = (
    "URL of the receiver of traces (OTLP over HTTP), as http://127.0.0.1:4318; /v1/traces is added to one without a "
    "path; unset for no tracing"
)
HEADERS: Final = (
    "header fields for the receiver of traces, as `name=value` with commas between; only over https, or on loopback"
)
AUTHORITIES: Final = (
    "PEM file of the authorities of the receiver's certificate, read at start; unset for those of the system"
)
MOST_PER_S: Final = "most requests that are traced in a second, whoever asked for it; more are served untraced"
_PATH: Final = "/v1/traces"
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Where traces go, and how many. Each service declares the fields anew, with the names of its variables."""

    endpoint: str | None = None
    """The URL that spans are posted to; None where tracing is off."""
    headers: tuple[tuple[str, str], ...] = ()
    authorities: Path | None = None
    most_per_s: int = 100

    @classmethod
    def cross_check(cls, values: Mapping[str, Any]) -> list[str]:
        """What would mean nothing, or would show a credential to others."""
        endpoint, headers = env_of(cls, "endpoint"), env_of(cls, "headers")
        found = [
            f"{env_of(cls, name)}: means nothing while {endpoint} is not set; set it, or unset this"
            for name in ("headers", "authorities")
            if name in values and "endpoint" not in values
        ]
        url = values.get("endpoint", "https://")
        if "headers" in values and not url.startswith("https://") and not _is_loopback(url):
            found.append(f"{headers}: would go to {urlsplit(url).hostname} in plaintext; use an https URL")
        if "authorities" in values and url.startswith("http://"):
            found.append(f"{env_of(cls, 'authorities')}: means nothing with an http URL in {endpoint}")
        return found


def receiver(text: str) -> str:
    """Parses the URL of a receiver. Raises ValueError for anything but http and https with a host."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("is not a URL, as http://127.0.0.1:4318") from None
    if url.scheme not in {"http", "https"} or not url.hostname or port == 0:
        raise ValueError("is not an http or https URL with a host, as http://127.0.0.1:4318")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("has a user, a query or a fragment; credentials go into the headers")
    return url._replace(path=_PATH if url.path in {"", "/"} else url.path).geturl()


def headers(text: str) -> tuple[tuple[str, str], ...]:
    """Parses `name=value` with commas between. Raises ValueError that shows no value."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        name, separator, value = (piece.strip() for piece in part.partition("="))
        if not separator or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("is not `name=value` with commas between, of printable ASCII")
        found.append((name, value))
    return tuple(found)


def ratio(text: str) -> float:
    """Parses a part of all: 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number from 0 to 1, as 0.01") from None
    if not 0 <= number <= 1:
        raise ValueError(f"{text} is not between 0 and 1")
    return number


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
