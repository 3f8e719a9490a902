"""Calls of any method, and all that they tell their caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

from tests.system.access_matrix import Method

REQUEST_ID: Final = "matrix"
"""Of every call, so that answers to two of them do not differ by it."""
DEADLINE_S: Final = 20.0
_WRITE_FAILED: Final = "Internal error from Core"
"""What the client says instead of the status of a call that ends while it still writes to it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call told its caller."""

    code: grpc.StatusCode
    details: str
    message: Message | None
    """The answer, or the first one of a stream."""
    trailing: tuple[tuple[str, str | bytes], ...]

    def told(self, shown_id: str) -> bytes:
        """All of it in octets, with the id that was asked for left out."""
        trailing = sorted((key, value if isinstance(value, bytes) else value.encode()) for key, value in self.trailing)
        body = b"" if self.message is None else self.message.SerializeToString(deterministic=True)
        return repr((self.code, self.details, body, trailing)).encode().replace(shown_id.encode(), b"<id>")


async def answer(
    channel: aio.Channel, method: Method, request: Message, shown: Sequence[tuple[str, str | bytes]]
) -> Answer:
    """Calls a method and waits for its first answer."""
    while True:
        found = await _answer(channel, method, request, shown)
        if not (method.descriptor.client_streaming and found.details == _WRITE_FAILED):
            return found


async def _answer(
    channel: aio.Channel, method: Method, request: Message, shown: Sequence[tuple[str, str | bytes]]
) -> Answer:
    descriptor = method.descriptor
    options: dict[str, Any] = {
        "request_serializer": type(request).SerializeToString,
        "response_deserializer": GetMessageClass(descriptor.output_type).FromString,
    }
    sent: Any = iter([request]) if descriptor.client_streaming else request
    kind: Any = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[descriptor.client_streaming, descriptor.server_streaming]
    metadata = (*shown, ("x-request-id", REQUEST_ID))
    call = kind(method.name, **options)(sent, metadata=metadata, timeout=DEADLINE_S)
    message = None
    try:
        first = await (call.read() if descriptor.server_streaming else call)
        message = None if first is aio.EOF else first
        if message is not None and descriptor.server_streaming:
            call.cancel()
            return Answer(grpc.StatusCode.OK, "", message, ())
    except aio.AioRpcError:
        message = None
    code = await call.code()
    trailing = tuple((str(key), value) for key, value in await call.trailing_metadata())
    return Answer(code, await call.details() or "", message, trailing)
