"""Cursors of watches: positions among the events as opaque tokens, bound to the account or the entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from messaging_service.events.domain.event_cursor import Moment, Position
from service_kit import page_token

FIELD: Final = "cursor"
MAX_LENGTH: Final = 65_536
"""Characters of a cursor. One is a few dozen long, and longer by some for each transaction that was open."""
_LARGEST: Final = 2**63 - 1
_NOT_OURS: Final = "is not a cursor that this service made; watch without it, and list what may have been missed"


class AccountCursors:
    """Writes and reads the cursors of watches of accounts."""

    def __init__(self, now: Callable[[], datetime], lifetime: timedelta) -> None:
        """`lifetime`: older cursors are refused, as catching up would read too much."""
        self._now = now
        self._lifetime = lifetime

    def encode(self, position: Position, account_id: str) -> str:
        """The cursor for a position."""
        until = "" if position.until is None else _text(position.until)
        made_at = int(self._now().timestamp())
        return page_token.encode((made_at, _text(position.seen), until, position.after), _question(account_id))

    def decode(self, cursor: str, account_id: str) -> Position:
        """The position of a cursor. Raises ServiceError INVALID_ARGUMENT when it is none, or too old."""
        made_at, seen, until, after = _decoded(cursor, _question(account_id), 4)
        try:
            age = self._now().timestamp() - _number(made_at)
            position = Position(_moment(str(seen)), _moment(str(until)) if until else None, _number(after))
        except ValueError:
            raise page_token.refused(_NOT_OURS, FIELD) from None
        if age > self._lifetime.total_seconds():
            raise page_token.refused(
                f"is older than {self._lifetime}; watch without it, and list what may have been missed with "
                "ListOutboxEntries",
                FIELD,
            )
        return position


def encode_entry(last_id: int, message_id: UUID) -> str:
    """The cursor of a watch of one entry."""
    return page_token.encode((last_id,), ("watch-entry", message_id.hex))


def decode_entry(cursor: str, message_id: UUID) -> int:
    """The id of the latest event that came. Raises ServiceError INVALID_ARGUMENT when it is none."""
    (last_id,) = _decoded(cursor, ("watch-entry", message_id.hex), 1)
    try:
        return _number(last_id)
    except ValueError:
        raise page_token.refused(_NOT_OURS, FIELD) from None


def _question(account_id: str) -> tuple[str, str]:
    # Not the filters: going on with others is fine.
    return "watch", account_id


def _decoded(cursor: str, question: tuple[str, str], length: int) -> list[str | int]:
    if len(cursor) > MAX_LENGTH:
        raise page_token.refused(_NOT_OURS, FIELD)
    return page_token.decode(cursor, question, length, FIELD)


def _text(moment: Moment) -> str:
    """`first:back,back`: open transactions by how far they lie behind, which is shorter."""
    return f"{moment.first_unseen}:" + ",".join(str(moment.first_unseen - number) for number in moment.open)


def _moment(text: str) -> Moment:
    first, _, backs = text.partition(":")
    first_unseen = _number(int(first))
    return Moment(first_unseen, tuple(_number(first_unseen - int(back)) for back in backs.split(",") if back))


def _number(value: str | int) -> int:
    if not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(value)
    return value
