"""Going through a whole table in small transactions, one process at a time, from where the last step ended."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from typing_extensions import override

from messaging_service.privacy.convert_rows import Conversion, Converted
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Connection, Pool, transaction

_BEGIN: Final = "INSERT INTO privacy_task (name) VALUES (%(name)s) ON CONFLICT DO NOTHING"
_TAKE: Final = "SELECT position, caught_up FROM privacy_task WHERE name = %(name)s FOR UPDATE SKIP LOCKED"
_MOVE: Final = """
    UPDATE privacy_task SET position = %(position)s, rows = rows + %(rows)s, caught_up = %(caught_up)s, moved_at = now()
    WHERE name = %(name)s
"""
_BUSY: Final = Converted(0, more=False, caught_up=False)

Row = tuple[Any, ...]


class TableWalk(Conversion, ABC):
    """Implements Conversion; each table says which rows come next, and what becomes of them."""

    def __init__(self, pool: Pool, name: str) -> None:
        """`pool`: not the one that sends messages."""
        self._pool = pool
        self._name = name

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    async def step(self, limit: int) -> Converted:
        async with migrated(transaction(self._pool)) as connection:
            row = await (await connection.execute(_TAKE, {"name": self._name})).fetchone()
            if row is None:
                await connection.execute(_BEGIN, {"name": self._name})
                return Converted(0, more=await self._is_free(connection), caught_up=False)
            position, caught_up = row
            rows = await self._next(connection, json.loads(position) if position else None, limit)
            converted = await self._convert(connection, rows) if rows else 0
            caught_up = caught_up or len(rows) < limit
            if rows:
                after = json.dumps([str(value) for value in self._position(rows[-1])])
                moved = {"name": self._name, "position": after, "rows": converted, "caught_up": caught_up}
                await connection.execute(_MOVE, moved)
            elif caught_up and not row[1]:
                moved = {"name": self._name, "position": position, "rows": 0, "caught_up": True}
                await connection.execute(_MOVE, moved)
            return Converted(converted, more=len(rows) == limit, caught_up=caught_up)

    async def _is_free(self, connection: Connection) -> bool:
        """Whether no other process has the task, so that the next step can begin it."""
        return await (await connection.execute(_TAKE, {"name": self._name})).fetchone() is not None

    @abstractmethod
    async def _next(self, connection: Connection, after: list[str] | None, limit: int) -> Sequence[Row]:
        """Up to `limit` rows after a position, None for the beginning, in the order of their keys."""

    @abstractmethod
    def _position(self, row: Row) -> tuple[object, ...]:
        """Where the walk is once it has looked at a row."""

    @abstractmethod
    async def _convert(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Changes those of the rows that need it; how many."""
