"""What fields must fulfil that requests to several rooms have."""

from __future__ import annotations

from datetime import datetime, timedelta

from service_kit import identifiers

MAX_IDENTIFIER = identifiers.MAX_IDENTIFIER
MAX_SCHEDULE_AHEAD = timedelta(days=365)


def text_problem(value: str, limit: int) -> str | None:
    """What is wrong with a short text of 1 to `limit` printable characters; None when nothing is.

    Looser than the rule for identifiers: by it, what is on record under an identifier of before can still be found.
    """
    if not value.strip():
        return f"is empty; give 1 to {limit} characters"
    if len(value) > limit:
        return f"has {len(value)} characters; at most {limit} are allowed"
    if not value.isprintable():
        return "has a character that cannot be printed; use letters, digits, spaces and punctuation"
    return None


def schedule_problem(at: datetime | None, now: datetime) -> str | None:
    """What is wrong with the time of a message; None when nothing is, or when it has none."""
    if at is None or at <= now + MAX_SCHEDULE_AHEAD:
        return None
    return f"lies more than {MAX_SCHEDULE_AHEAD.days} days ahead; schedule it nearer to its time"
