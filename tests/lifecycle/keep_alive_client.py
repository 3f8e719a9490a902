"""An HTTP client as load balancers are: it keeps connections, and takes one no more once it was told that it ends."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


class NotConnectedError(Exception):
    """Nobody took the connection, so nothing was sent."""


class CutError(Exception):
    """The connection ended without an answer; the text says how."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(eq=False, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: int = 0


@dataclass(slots=True)
class KeepAliveClient:
    """Posts JSON to `host:port`, each request over a connection of its own while it waits."""

    _idle: dict[str, list[_Connection]] = field(default_factory=lambda: defaultdict(list))

    async def post(self, address: str, path: str, body: object) -> HttpAnswer:
        """The answer. Raises NotConnectedError and CutError."""
        connection = await self._connection(address)
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
        connection.requests += 1
        try:
            connection.writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            answer = HttpAnswer(
                int(lines[0].split()[1]), await connection.reader.readexactly(int(headers["content-length"]))
            )
        except (OSError, EOFError) as error:
            connection.writer.close()
            raise CutError(f"{type(error).__name__} at request {connection.requests} of its connection") from error
        if headers.get("connection", "").lower() == "close":
            connection.writer.close()
        else:
            self._idle[address].append(connection)
        return answer

    def close(self) -> None:
        """Ends all connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.writer.close()

    async def _connection(self, address: str) -> _Connection:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.close()
        host, _, port = address.rpartition(":")
        try:
            return _Connection(*await asyncio.open_connection(host, int(port)))
        except OSError as error:
            raise NotConnectedError(address) from error
