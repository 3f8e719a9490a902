"""Pages of lists: how many rows they have, and the tokens of lists that are shown newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from messaging_service.shared.domain import reasons
from service_kit import page_token
from service_kit.errors import Violation, invalid

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 500

Position = tuple[datetime, UUID]
"""The instant and the id of the last row of a page, for lists in the order of both."""
Question = Sequence[str | int | None]
"""The filters of the list; a token is good for the same ones only."""
Row = TypeVar("Row")


def page_size_faults(asked: int) -> list[Violation]:
    """What is wrong with the number of rows that is asked for; 0 means DEFAULT_PAGE."""
    if 0 <= asked <= MAX_PAGE:
        return []
    problem = f"is {asked}; give 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"
    return [Violation("page_size", reasons.OUT_OF_RANGE, problem)]


def page_size(asked: int) -> int:
    """The rows of a page. Raises ServiceError INVALID."""
    if faults := page_size_faults(asked):
        raise invalid(faults)
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


def page_of(
    found: Sequence[Row], size: int, question: Question, position: Callable[[Row], Position]
) -> tuple[Sequence[Row], str]:
    """The rows of a page and the token of the next one, which is empty on the last. `found`: up to one row more."""
    page = found[:size]
    if len(found) <= size:
        return page, ""
    at, row_id = position(page[-1])
    return page, page_token.encode((at.isoformat(), row_id.hex), question)
