"""A channel whose certificates change while it is used, although those of a gRPC channel cannot.

It stands where a channel of gRPC stands. New credentials get a new channel, which takes all new calls once it is
connected; calls under way end on the channel that they began on, which is closed after the last of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Self

import grpc
import structlog
from grpc import aio
from typing_extensions import override

from service_kit.duties.ending import end_tasks

CONNECTED_WITHIN_S: Final = 10.0
"""How long a new channel may take to connect before it is given up, to be tried again."""
AGAIN_S: Final = 5.0
"""Between two tries to connect with new credentials that the other side does not take yet."""

Dial = Callable[[grpc.ChannelCredentials], aio.Channel]

log = structlog.get_logger()


class _Line:
    """One channel of gRPC, and how many calls are under way on it."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel: Final = channel
        self._calls = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def began(self, call: aio.Call) -> None:
        """A call begins."""
        self._calls += 1
        self._is_idle.clear()
        call.add_done_callback(self._ended)

    def _ended(self, _call: object) -> None:
        self._calls -= 1
        if not self._calls:
            self._is_idle.set()

    async def drain(self) -> None:
        """Closes the channel when the last call has ended.

        Calls have deadlines, and servers end the connections of streams after 6 minutes. Nothing is cut off here: who
        reads a stream would be told that it was cancelled itself.
        """
        try:
            await self._is_idle.wait()
        finally:
            await self.channel.close()


class RenewedChannel(aio.Channel):
    """Implements the channel of gRPC, over one at a time."""

    def __init__(self, target: str, dial: Dial, credentials: grpc.ChannelCredentials) -> None:
        """`dial` opens a channel with credentials; `target` names the other side in logs."""
        self._target = target
        self._dial = dial
        self._line = _Line(dial(credentials))
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewal: asyncio.Task[None] | None = None

    @property
    def line(self) -> _Line:
        """What new calls go over."""
        return self._line

    def renew(self, credentials: grpc.ChannelCredentials) -> None:
        """Goes over to other credentials as soon as they connect, or when the present channel is not connected either.

        Credentials that came before, and have not connected yet, are given up.
        """
        if self._renewal is not None:
            self._renewal.cancel()
        self._renewal = self._started(self._renew(credentials))

    async def _renew(self, credentials: grpc.ChannelCredentials) -> None:
        while True:
            fresh = self._dial(credentials)
            try:
                async with asyncio.timeout(CONNECTED_WITHIN_S):
                    await fresh.channel_ready()
            except TimeoutError:
                if self._line.channel.get_state() is grpc.ChannelConnectivity.READY:
                    # What is in use works: the other side may not know the new authority yet.
                    log.warning("tls.channel_not_renewed", target=self._target)
                    await fresh.close()
                    await asyncio.sleep(AGAIN_S)
                    continue
            except BaseException:
                await fresh.close()
                raise
            before, self._line = self._line, _Line(fresh)
            log.info("tls.channel_renewed", target=self._target)
            self._started(before.drain())
            return

    def _started(self, work: Any) -> asyncio.Task[None]:  # noqa: ANN401 - a coroutine
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # What gRPC asks of a channel.

    @override
    def unary_unary(self, method: str, *rest: Any, **options: Any) -> Any:
        return _UnaryUnary(self, lambda channel: channel.unary_unary(method, *rest, **options))

    @override
    def unary_stream(self, method: str, *rest: Any, **options: Any) -> Any:
        return _UnaryStream(self, lambda channel: channel.unary_stream(method, *rest, **options))

    @override
    def stream_unary(self, method: str, *rest: Any, **options: Any) -> Any:
        return _StreamUnary(self, lambda channel: channel.stream_unary(method, *rest, **options))

    @override
    def stream_stream(self, method: str, *rest: Any, **options: Any) -> Any:
        return _StreamStream(self, lambda channel: channel.stream_stream(method, *rest, **options))

    @override
    async def close(self, grace: float | None = None) -> None:
        # Drains end with their channels.
        await end_tasks(list(self._tasks))
        await self._line.channel.close(grace)

    @override
    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._line.channel.get_state(try_to_connect)

    @override
    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._line.channel.wait_for_state_change(last_observed_state)

    @override
    async def channel_ready(self) -> None:
        await self._line.channel.channel_ready()

    @override
    async def __aenter__(self) -> Self:
        return self

    @override
    async def __aexit__(self, *_ended: object) -> None:
        await self.close()


class _Calls:
    """Calls of one method, each over the line of that moment."""

    def __init__(self, channel: RenewedChannel, bind: Callable[[aio.Channel], Callable[..., Any]]) -> None:
        self._channel = channel
        self._bind = bind
        self._line = channel.line
        self._method = bind(self._line.channel)

    def __call__(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - any call of gRPC
        line = self._channel.line
        if line is not self._line:
            self._line, self._method = line, self._bind(line.channel)
        call = self._method(*args, **options)
        line.began(call)
        return call


class _UnaryUnary(_Calls, aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # no generic class at run time
    pass


class _UnaryStream(_Calls, aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # no generic class at run time
    pass


class _StreamUnary(_Calls, aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]  # no generic class at run time
    pass


class _StreamStream(_Calls, aio.StreamStreamMultiCallable):  # type: ignore[type-arg]  # no generic class at run time
    pass
