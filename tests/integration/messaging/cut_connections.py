"""Database connections that break between statements, as when the process or the network dies there."""

from __future__ import annotations

from random import Random
from typing import Any

import psycopg

from service_kit.postgres.database import Pool
from service_kit.postgres.pipeline import BEGIN, COMMIT, ROLLBACK, Connection, Rows, Step

_ENDS = (BEGIN, COMMIT, ROLLBACK)


class Fuse:
    """Decides which statements break their connection: before them, or after they took effect."""

    def __init__(self, random: Random, odds: float) -> None:
        """`odds`: of a statement to be the last one of its connection."""
        self._random = random
        self.odds = odds
        self.blown: dict[str, int] = {}
        """How often, by the place."""

    def blows(self, place: str) -> bool:
        """Whether the connection breaks here."""
        if self._random.random() >= self.odds / 2:
            return False
        self.blown[place] = self.blown.get(place, 0) + 1
        return True


def breaking_pool(url: str, fuse: Fuse, *, size: int) -> Pool:
    """A pool of connections that break as the fuse says; not open yet."""

    class BreakingConnection(Connection):
        async def trip(self, *steps: Step, within_s: float | None = None) -> list[Rows]:
            place = "statement" if steps[-1] not in _ENDS else steps[-1].statement.text.decode()
            if fuse.blows(f"before {place}"):
                await self._cut()
            rows = await super().trip(*steps, within_s=within_s)
            if fuse.blows(f"after {place}"):
                await self._cut()
            return rows

        async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            if fuse.blows("before statement"):
                await self._cut()
            cursor = await super().execute(query, params, **options)
            if fuse.blows("after statement"):
                await self._cut()
            return cursor

        async def _cut(self) -> None:
            await self.close()
            raise psycopg.OperationalError("the connection was cut")

    return Pool(
        url,
        guards={},
        connection_class=BreakingConnection,
        kwargs={"autocommit": True},
        min_size=size,
        max_size=size,
        timeout=30,
        open=False,
    )
