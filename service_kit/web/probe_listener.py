"""What an orchestrator asks a process: whether to restart it, to send it calls, and to wait for its start.

On an address of its own and always in plaintext, because an orchestrator shows no certificate and the answers give
nothing away. It is served by the event loop of the service, so that a loop that stands still answers nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.settings import Address
from service_kit.web.http_server import HttpServer

LIVE: Final = "/livez"
READY: Final = "/readyz"
STARTED: Final = "/startupz"
MEANING: Final = (
    "host:port that serves /livez, /readyz and /startupz to an orchestrator, apart from all else, in plaintext also "
    "where the rest has TLS; unset for none"
)
GUIDE: Final = "guides/lifecycle.md"

Problem = Callable[[], str | None]
"""Why the answer is no, in one line; None for yes. Reads what is in memory."""

log = structlog.get_logger()


def nothing() -> str | None:
    """The Problem of what has none."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What the three questions are answered with."""

    live: Problem = nothing
    """Asked of nothing but the process itself: what only a new process would mend."""
    ready: Problem
    """Why it should get no calls now."""
    started: Problem
    """Why it has not begun to work; None for ever once it has."""


@asynccontextmanager
async def probes_served(address: Address | None, probes: Probes) -> AsyncIterator[None]:
    """Serves the probes on the address; None serves nothing. Raises OSError when it is taken."""
    if address is None:
        yield
        return
    http = HttpServer(address, probes_app(probes), drain_s=0)
    await http.start()
    log.info("probes.listening", address=address.host, port=http.port)
    try:
        yield
    finally:
        await http.stop()


def probes_app(probes: Probes) -> ASGIApp:
    """Answers GET and HEAD of the three paths: 200, or 503 with the reason in one line of text."""
    questions = {LIVE: probes.live, READY: probes.ready, STARTED: probes.started}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] != "http":
            raise RuntimeError(f"probes are served over HTTP only, not {scope['type']}")
        if scope["path"] not in questions:
            await _answer(send, 404, f"there is nothing here; the probes are {', '.join(questions)}")
        elif scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, "this path takes GET", (b"allow", b"GET, HEAD"))
        elif (problem := questions[scope["path"]]()) is None:
            await _answer(send, 200, "ok")
        else:
            await _answer(send, 503, " ".join(problem.split()))

    return app


async def _answer(send: Send, status: int, line: str, *headers: tuple[bytes, bytes]) -> None:
    body = f"{line}\n".encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
