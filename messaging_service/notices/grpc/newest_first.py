"""Pages of a list that is shown newest first, by an instant and an id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from messaging_service.shared.domain import reasons
from service_kit import page_token
from service_kit.errors import Violation, invalid

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 500

Position = tuple[datetime, UUID]
"""The instant and the id of the last row of a page."""
Question = Sequence[str | int | None]
"""The filters of the list; a token is good for the same ones only."""


def page_size(asked: int) -> int:
    """The rows of a page. Raises ServiceError INVALID."""
    if not 0 <= asked <= MAX_PAGE:
        problem = f"is {asked}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"
        raise invalid([Violation("page_size", reasons.OUT_OF_RANGE, problem)])
    return asked or DEFAULT_PAGE


def after(token: str, question: Question) -> Position | None:
    """Where the page before ended; None for the first page. Raises ServiceError INVALID."""
    if not token:
        return None
    at, row_id = page_token.decode(token, question, 2)
    try:
        return datetime.fromisoformat(str(at)), UUID(hex=str(row_id))
    except ValueError:
        raise page_token.refused("is not a token that this service made; start again without it") from None


def next_token(found: int, size: int, last: Position, question: Question) -> str:
    """The token of the next page; empty on the last one. `found`: rows of a look for one more than `size`."""
    at, row_id = last
    return page_token.encode((at.isoformat(), row_id.hex), question) if found > size else ""
