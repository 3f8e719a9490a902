"""How a server on asyncio's own loop stops without losing sight of connections that it has just accepted."""

from __future__ import annotations

import asyncio
from typing import Final

_TURNS: Final = 3
"""asyncio accepts in turns of the loop: the socket and a task, the transport, the protocol's `connection_made`."""


async def stop_accepting(server: asyncio.Server) -> None:
    """Closes the server; each plain connection that it had accepted has had its `connection_made` by then.

    A server of Python 3.11 that is closed between two of those turns fails to attach the connection, says nothing of
    it, and leaves its socket open for as long as the process lives. uvloop accepts in one turn, and needs none of this.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    server.close()
