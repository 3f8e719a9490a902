"""Calls that were not sent because the only known server is about to end: they are made again, of another one.

A channel watches the health of its servers, and sends nothing to one that says it ends. It asks its name for others
only when that server closes the connection, a second later, so that a channel that knew one server has none until then.
Such a call was refused on this side: repeating it is safe whatever it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import grpc
from grpc import aio

Response = TypeVar("Response")

PATIENCE_S: Final = 5.0
"""How long another server is waited for: longer than servers usually take from saying so to their end."""
AGAIN_S: Final = 0.05
_UNSENT: Final = "connections to all backends failing"
_LEAVING: Final = "backend unhealthy"
"""Words of gRPC itself, of a call for which health checks left no server. Only servers that end fail them."""


class Elsewhere:
    """Makes calls of one channel; a server that is seen to leave bears on all calls of the seconds after."""

    def __init__(self) -> None:
        self._seen_at = -PATIENCE_S
        """On the loop's clock: when a server was last seen to leave."""

    async def answer(self, call: Callable[[], Awaitable[Response]]) -> Response:
        """The answer of a unary call, which is begun anew while no server takes calls because the last one leaves."""
        begun = _now()
        while True:
            try:
                return await call()
            except aio.AioRpcError as error:
                if not self._is_worth_repeating(error, begun):
                    raise
            await asyncio.sleep(AGAIN_S)

    def made_again(self, call: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        """The same unary method, whose calls are begun anew as `answer` does."""

        def made(request: object, **options: object) -> Awaitable[Response]:
            return self.answer(lambda: call(request, **options))

        return made

    async def stream(self, call: Callable[[], AsyncIterable[Response]]) -> AsyncIterator[Response]:
        """The same for a call that is answered by a stream."""
        begun = _now()
        while True:
            try:
                async for response in call():
                    yield response
            except aio.AioRpcError as error:
                if not self._is_worth_repeating(error, begun):
                    raise
            else:
                return
            await asyncio.sleep(AGAIN_S)

    def _is_worth_repeating(self, error: aio.AioRpcError, begun: float) -> bool:
        details = error.details() or ""
        if error.code() is not grpc.StatusCode.UNAVAILABLE or not details.startswith(_UNSENT):
            return False
        now = _now()
        if _LEAVING in details:
            self._seen_at = now
        # When the server has gone, connections to it are refused until the name is answered.
        return now - begun < PATIENCE_S and now - self._seen_at < PATIENCE_S


def _now() -> float:
    return asyncio.get_running_loop().time()
