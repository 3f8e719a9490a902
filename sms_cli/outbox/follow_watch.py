"""Follows a watch over broken connections: each one continues from the last cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import grpc
from grpc import aio

from service_kit.settings import Address
from sms_cli.shared.service_calls import messaging_stub
from tukupay.sms.messaging.v1 import events_pb2_grpc

AGAIN: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED})
"""The codes after which a watch is opened again at its cursor."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0


class _Response(Protocol):
    @property
    def cursor(self) -> str: ...


R = TypeVar("R", bound=_Response)


@dataclass
class Following(Generic[R]):
    """A watch and its position."""

    messaging: Address
    watch: Callable[[events_pb2_grpc.EventServiceAsyncStub, str], AsyncIterable[R]]
    """Opens the stream after a cursor."""
    show: Callable[[R], None]
    interrupted: Callable[[str, float], None]
    """Called with the reason why the stream broke, and the seconds until it is opened again."""
    begun: Callable[[], None]
    """Called when the watch is open for the first time."""
    cursor: str = ""
    """The last cursor received; empty before the first."""

    async def run(self) -> None:
        """Shows everything until the service ends the watch.

        Opens it again whenever the connection breaks after it was open once. Raises CommandError.
        """
        began, pause_s = False, FIRST_PAUSE_S
        service = events_pb2_grpc.EventServiceStub
        async with messaging_stub(self.messaging, service, deadline_s=None) as stub:
            while True:
                try:
                    async for response in self.watch(stub, self.cursor):
                        if not began:
                            self.begun()
                        began, pause_s = True, FIRST_PAUSE_S
                        self.show(response)
                        # Only after showing it, so that what was not shown comes again.
                        self.cursor = response.cursor
                except aio.AioRpcError as error:
                    if not began or error.code() not in AGAIN:
                        raise
                    self.interrupted(error.details() or error.code().name, pause_s)
                else:
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
