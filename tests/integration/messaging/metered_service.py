"""A running service with its figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from service_kit.settings import Address
from tests.integration.messaging.running_service import Running, service_on
from tests.system.exposition import Figures, figures_at
from tests.system.ports import free_port
from tests.system.waiting import eventually


class Metered:
    """A service, and what it exports."""

    def __init__(self, service: Running, port: int) -> None:
        self.service = service
        self._port = port

    async def figures(self) -> Figures:
        """Scrapes once."""
        return await figures_at(self._port)

    async def until(self, condition: Callable[[Figures], bool]) -> Figures:
        """Scrapes until a condition holds."""

        async def met() -> Figures | None:
            figures = await self.figures()
            return figures if condition(figures) else None

        seen = await eventually("the figures meet the condition", met)
        assert seen is not None
        return seen


@asynccontextmanager
async def metered_on(url: str, **choices: Any) -> AsyncIterator[Metered]:
    """A service on a database, with metrics."""
    port = free_port()
    async with service_on(url, metrics_address=Address("127.0.0.1", port), **choices) as service:
        yield Metered(service, port)
