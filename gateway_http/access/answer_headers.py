"""The headers of every answer: what browsers and caches may do with it, and whether the system is open."""

from __future__ import annotations

MODE_HEADER = "X-Sms-Mode"
_YEAR_S = 365 * 24 * 3_600


def answer_headers(*, is_open: bool, is_over_tls: bool) -> list[tuple[str, str]]:
    """Those of a gateway; the server puts them into what it refuses itself, too.

    `is_over_tls`: whether callers reach it over TLS, its own or that of a proxy; browsers then never try without.

    Answers have phone numbers, texts and secrets, so none is kept by a cache. The documentation page has a
    Content-Security-Policy of its own besides.
    """
    headers = [
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
    ]
    if is_over_tls:
        headers.append(("Strict-Transport-Security", f"max-age={_YEAR_S}"))
    if is_open:
        headers.append((MODE_HEADER, "open"))
    return headers
