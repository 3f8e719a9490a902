"""Processor time a request of the HTTP servers that the gateway could be built on (docs/decisions/0031).

Each serves the same application, which answers a send of 300 octets with 430, and does nothing else; they take turns.
Those that are not installed are left out: `pip install hypercorn granian` for all of them. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

from service_kit.settings import Address
from service_kit.web.http_server import HttpServer

_MODULES = {"ours": "uvicorn", "uvicorn-httptools": "httptools", "uvicorn-h11": "h11", "hypercorn": "hypercorn"}
_MODULES["granian"] = "granian"
_ANSWER = b'{"status":"success","x":"' + b"a" * 400 + b'"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))]
_REQUEST = (
    b"POST /api/sms/send HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    b"Content-Type: application/json\r\nContent-Length: 300\r\n\r\n" + b"x" * 300
)
_NS = 1_000_000_000


async def application(_scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


async def _serve(kind: str, port: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    if kind == "ours":
        server = HttpServer(Address("127.0.0.1", port), application, drain_s=0)
        await server.start()
        await stopping.wait()
        await server.stop()
    elif kind.startswith("uvicorn"):
        uvicorn: Any = importlib.import_module("uvicorn")
        options = {"ws": "none", "lifespan": "off", "loop": "none", "log_config": None, "access_log": False}
        config = uvicorn.Config(application, http=kind.removeprefix("uvicorn-"), port=port, **options)
        asyncio.ensure_future(uvicorn.Server(config).serve())  # noqa: RUF006 - ends with the process
        await stopping.wait()
    elif kind == "hypercorn":
        config = importlib.import_module("hypercorn.config").Config()
        config.bind, config.accesslog = [f"127.0.0.1:{port}"], None
        await importlib.import_module("hypercorn.asyncio").serve(application, config, shutdown_trigger=stopping.wait)
    else:
        embed: Any = importlib.import_module("granian.server.embed")
        constants: Any = importlib.import_module("granian.constants")
        options = {"interface": constants.Interfaces.ASGINL, "http": constants.HTTPModes.http1, "websockets": False}
        granian = embed.Server(application, port=port, log_enabled=False, **options)
        running = asyncio.ensure_future(granian.serve())
        await stopping.wait()
        granian.stop()
        await running


class _Caller(asyncio.Protocol):
    """Asks again as soon as it has an answer."""

    def __init__(self, answered: list[int]) -> None:
        self._answered, self._read = answered, b""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - what asyncio gives
        """Asks first."""
        self._transport = transport
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Counts an answer when it is whole."""
        self._read += data
        if self._read.endswith(_ANSWER[-9:]):
            self._read = b""
            self._answered[0] += 1
            self._transport.write(_REQUEST)


def _processor_s(pid: int) -> float:
    """Of all threads, from the scheduler, which counts in nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / _NS


async def _measured(port: int, pid: int, connections: int, seconds: float) -> float:
    answered = [0]
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Caller(answered), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(0.5)
    cpu, count = _processor_s(pid), answered[0]
    await asyncio.sleep(seconds)
    cost = (_processor_s(pid) - cpu) / max(answered[0] - count, 1)
    for transport, _ in made:
        transport.abort()
    return cost * 1e6


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _turn(kind: str, connections: int, seconds: float) -> float:
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.http_servers", "--serve", kind, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 20
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            return asyncio.run(_measured(port, server.pid, connections, seconds))
        finally:
            server.terminate()


def main() -> None:
    """Measures, and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", choices=_MODULES, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop  # noqa: PLC0415 - the caller's own loop is asyncio's

        uvloop.run(_serve(options.serve, options.port))
        return
    kinds = [kind for kind, module in _MODULES.items() if importlib.util.find_spec(module)]
    results: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.repeats):
        for connections in (1, 64):
            for kind in kinds:
                cost = _turn(kind, connections, options.seconds)
                results.setdefault((kind, connections), []).append(cost)
    print("| server | c = 1, µs of processor a request: median (min to max) | c = 64 |\n| --- | --- | --- |")
    for kind in kinds:
        shown = [
            f"{statistics.median(costs):.0f} ({min(costs):.0f} to {max(costs):.0f})"
            for costs in (results[kind, 1], results[kind, 64])
        ]
        print(f"| {kind} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
