"""A customer's system that receives events on a real port, and does with them what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

from service_kit.web.stop_accepting import stop_accepting

Reply = Callable[["Received"], bytes | Awaitable[bytes]]

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Received:
    """One post as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in it."""
        return json.loads(self.body)  # type: ignore[no-any-return]  # an object

    def is_signed_with(self, secret: str) -> bool:
        """Whether the library of the receivers takes the signature; raises when it does not."""
        Webhook(secret).verify(self.body, self.headers)
        return True


class ThenClosed(bytes):
    """An answer after which the connection is closed at once, also when it was none or half of one."""


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Word", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Receiver:
    """Keeps all that came. Taking everything is the default."""

    port: int = 0
    reply: Reply = lambda _: answer(204)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.at("/hooks")

    def at(self, path: str) -> str:
        """Another of its URLs."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def until(self, count: int) -> list[Received]:
        """What came, as soon as there is so much."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.received) < count:
                self.news.clear()
                await self.news.wait()
        return self.received

    def types(self) -> list[str]:
        """The types of what came, in order."""
        return [one.event["type"] for one in self.received]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                if not line.startswith(b"POST"):
                    writer.write(answer(400))
                    await writer.drain()
                    return
                await self._one(line.decode(), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _one(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers: dict[str, str] = {}
        while (header := (await reader.readline()).decode().strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers["content-length"]))
        one = Received(line.split(" ")[1], headers, body.decode())
        self.received.append(one)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.news.set()
        reply = self.reply(one)
        said = reply if isinstance(reply, bytes) else await reply
        writer.write(said)
        self.in_flight -= 1
        await writer.drain()
        if isinstance(said, ThenClosed):
            raise ConnectionAbortedError


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback."""
    made = Receiver()
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        await stop_accepting(server)
