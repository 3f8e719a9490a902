"""How to reach one account at Africa's Talking."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from urllib.parse import SplitResult, urlsplit

from messaging_service.carriers.template.receipt_words import problems_of

LIVE_URL = "https://api.africastalking.com"


@dataclass(frozen=True, slots=True)
class AfricasTalkingSettings:
    """What the carrier gave for the account, and how hard to use it.

    Raises ValueError that names every value that cannot work; the key is never shown.
    """

    username: str
    """The account's application name; `sandbox` at the carrier's own test host."""
    api_key: str = field(repr=False)
    base_url: str = LIVE_URL
    """Scheme and host; https, except for a server on this machine."""
    window: int = 20
    """Requests in flight at most, and so connections."""
    max_submits_per_s: float = 0.0
    """Messages a second at most; 0 for no limit but the window."""
    enqueue: bool = False
    """Whether the carrier may queue a message and answer before it was tried: faster, and says less."""
    connect_timeout_s: float = 3.0
    """Seconds that a connection with its TLS may take; nothing was sent when they are over."""
    response_timeout_s: float = 10.0
    """Seconds from handing a message over until it is called unknown; shorter than the lease."""
    late_answer_s: float = 30.0
    """Seconds that an answer is waited for after that, with its place in the window kept; 0 for not at all."""
    keep_alive_s: float = 15.0
    """Seconds that a connection without work is kept. Shorter than the carrier's own time, so that it does not
    close a connection in the moment a message is written to it."""
    balance_poll_s: float = 60.0
    """Seconds between two looks at the account; also the least time of a pause that the carrier caused."""
    receipt_states: Mapping[str, str] = field(default_factory=dict)
    """What words of delivery reports mean that are not known here, for instance `{"Blocked": "undeliverable"}`, in any
    case; they win over those that are."""
    low_balance_kes: str = "0"
    """Below this balance, a decimal number of KES, the status warns; 0 for never."""
    reconnect_min_s: float = 0.2
    """Seconds up to which the first wait is drawn before a carrier out of reach is tried again; each further
    one doubles."""
    reconnect_max_s: float = 30.0
    """Seconds that no such wait exceeds."""

    def __post_init__(self) -> None:
        problems = [
            *(
                f"{name} is {getattr(self, name)!r}: use more than 0"
                for name in ("connect_timeout_s", "keep_alive_s", "balance_poll_s", "reconnect_min_s")
                if not getattr(self, name) > 0
            ),
            *(
                f"{name} is {value!r}: {rule}"
                for name, value, good, rule in (
                    ("base_url", self.base_url, _is_base_url(self.base_url), _BASE_URL_RULE),
                    ("window", self.window, 1 <= self.window <= 1_000, "use 1 to 1000"),
                    (
                        "max_submits_per_s",
                        self.max_submits_per_s,
                        0 <= self.max_submits_per_s <= 100_000,
                        "use 0 to 100000",
                    ),
                    (
                        "response_timeout_s",
                        self.response_timeout_s,
                        self.response_timeout_s > self.connect_timeout_s,
                        "use more than connect_timeout_s",
                    ),
                    ("late_answer_s", self.late_answer_s, self.late_answer_s >= 0, "use 0 or more"),
                    ("low_balance_kes", self.low_balance_kes, _is_amount(self.low_balance_kes), "use for instance 500"),
                    (
                        "reconnect_max_s",
                        self.reconnect_max_s,
                        self.reconnect_max_s >= self.reconnect_min_s,
                        "use at least reconnect_min_s",
                    ),
                    ("username", self.username, _is_header_text(self.username), "use ASCII letters and digits"),
                )
                if not good
            ),
        ]
        problems += [f"receipt_states {problem}" for problem in problems_of(self.receipt_states)]
        if not _is_header_text(self.api_key):
            problems.append("api_key: use the key as the carrier shows it, ASCII without blanks")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def low_balance(self) -> Decimal:
        """`low_balance_kes` as an amount of KES."""
        return Decimal(self.low_balance_kes)


_BASE_URL_RULE = f"use {LIVE_URL} or another https:// host without path or user; http:// serves on loopback only"


def _is_base_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        return False
    bare = not (url.path.strip("/") or url.query or url.fragment or url.username or url.password)
    safe = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url))
    return bool(url.hostname) and bare and safe and port_is_fine


def _is_loopback(url: SplitResult) -> bool:
    if url.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False


def _is_amount(text: str) -> bool:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return False
    return amount.is_finite() and amount >= 0


def _is_header_text(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
