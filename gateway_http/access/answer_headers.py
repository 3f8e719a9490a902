"""The headers of every answer: what browsers and caches may do with it, and whether the system is open."""

from __future__ import annotations

MODE_HEADER = "X-Sms-Mode"


def answer_headers(*, is_open: bool) -> list[tuple[str, str]]:
    """Those of a gateway; the server puts them into what it refuses itself, too.

    Answers have phone numbers, texts and secrets, so none is kept by a cache. The documentation page has a
    Content-Security-Policy of its own besides.
    """
    headers = [
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
    ]
    return [*headers, (MODE_HEADER, "open")] if is_open else headers
