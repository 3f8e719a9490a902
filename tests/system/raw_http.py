"""A client that writes the octets of HTTP itself, and so can write wrong ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

DEADLINE_S = 20.0


@dataclass(frozen=True)
class RawAnswer:
    """One answer, read by its Content-Length."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RawHttp:
    """One connection. Each wait has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Writes; a server that has closed already is no failure of the client."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(b"".join(pieces))
            await asyncio.wait_for(self._writer.drain(), DEADLINE_S)

    def end_sending(self) -> None:
        """Closes the sending side only."""
        self._writer.write_eof()

    async def answer(self, *, to_head: bool = False) -> RawAnswer:
        """The next answer; one `to_head` has no body whatever its length says."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
        line, *fields = head.decode("latin-1").rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        status = int(line.split()[1])
        length = 0 if to_head or status < 200 else int(headers.get("content-length", "0"))
        return RawAnswer(status, headers, await asyncio.wait_for(self._reader.readexactly(length), DEADLINE_S))

    async def rest(self) -> bytes:
        """What still comes until the server closes."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self._reader.read(), DEADLINE_S)
        return b""

    def cut(self) -> None:
        """Goes away without a word."""
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def raw_http(port: int) -> AsyncIterator[RawHttp]:
    """A connection to this machine, gone at the end."""
    connection = RawHttp(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield connection
    finally:
        connection.cut()
