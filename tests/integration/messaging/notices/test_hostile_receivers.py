"""Receivers that mean harm, or are broken: no post outlasts its time, eats memory, or is believed without reason."""

from __future__ import annotations

import asyncio
import gc
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from uuid import uuid4

import pytest

from messaging_service.notices.delivery_ports import DeliveryBatch, PendingDelivery
from messaging_service.notices.domain.endpoints import TRY_ERRORS, Answer, EndpointKind
from messaging_service.notices.webhooks.guarded_targets import GuardedTargets
from messaging_service.notices.webhooks.webhook_sender import WebhookSender
from service_kit.web.stop_accepting import stop_accepting

pytestmark = pytest.mark.timeout(60)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NAME = "hooks.example"
MOST_READ = 8 * 1_024 * 1_024
"""Of an endless answer a peer gets rid of no more: what we read, and what buffers on both sides hold."""

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Hostile:
    """What a receiver does once it has the whole request."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.posts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            self.posts += 1
            await self._behaviour(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            writer.close()


def says(*pieces: bytes, then: str = "close") -> Behaviour:
    """Writes pieces, and closes the connection or stays silent."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then == "silence":
            await reader.read()

    return behave


def for_ever(head: bytes, piece: bytes, pause_s: float = 0.0) -> Behaviour:
    """Writes a head, and then the same again and again, as fast as it is taken or with pauses."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written = 0
        writer.write(head)
        while written < 10 * MOST_READ:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
            written += len(piece)
        raise AssertionError("all of an endless answer was taken")

    return behave


async def aborts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends the connection with a reset, in the middle of an answer."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    writer.transport.abort()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def hostile(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Hostile, int]]:
    made = Hostile(behaviour)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield made, server.sockets[0].getsockname()[1]
    finally:
        await stop_accepting(server)


async def post(url: str, timeout_s: float = 25.0) -> Answer:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    targets = GuardedTargets((ip_network("127.0.0.0/8"),), allow_http=True, resolve=resolve)
    sender = WebhookSender(targets, timeout_s=timeout_s, now=lambda: datetime.now(UTC))
    batch = DeliveryBatch(
        uuid4(), EndpointKind.WEBHOOK, url, (SECRET,), (PendingDelivery(uuid4(), "evt_1", "{}", 0),), "lease"
    )
    (tried,) = [one async for one in sender.post(batch)]
    return tried.answer


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        pytest.param(says(), Answer(None, "BROKEN_OFF"), id="closes without a word"),
        pytest.param(says(OK + b"content-length: 9\r\n\r\nhalf"), Answer(None, "BROKEN_OFF"), id="closes in the body"),
        pytest.param(says(OK + b"content-le"), Answer(None, "BROKEN_OFF"), id="closes in the head"),
        pytest.param(aborts, Answer(None, "BROKEN_OFF"), id="resets in the body"),
        pytest.param(says(b"\x16\x03\x01" + bytes(500)), Answer(None, "BROKEN_OFF"), id="garbage"),
        pytest.param(says(b"HTTP/1.1 2O0 OK\r\n\r\n"), Answer(None, "BROKEN_OFF"), id="a status that is no number"),
        pytest.param(says(OK + b"x y z\r\n\r\n"), Answer(None, "BROKEN_OFF"), id="a header without colon"),
        pytest.param(says(OK + b"content-length: -1\r\n\r\n"), Answer(None, "BROKEN_OFF"), id="a negative length"),
        pytest.param(
            says(OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
            Answer(None, "BROKEN_OFF"),
            id="two lengths",
        ),
        pytest.param(says(CHUNKED + b"zz\r\n"), Answer(None, "BROKEN_OFF"), id="a chunk without a size"),
        pytest.param(
            says(CHUNKED + b"f" * 100 + b"\r\n", then="silence"), Answer(None, "BROKEN_OFF"), id="a size of 100 digits"
        ),
        pytest.param(says(then="silence"), Answer(None, "TIMED_OUT"), id="silence"),
        pytest.param(
            says(OK + b"content-length: 9\r\n\r\nhalf", then="silence"), Answer(None, "TIMED_OUT"), id="half a body"
        ),
        pytest.param(for_ever(OK, b"x-h: 1\r\n" * 500), Answer(None, "BROKEN_OFF"), id="a flood of headers"),
        pytest.param(for_ever(OK + b"x-h: ", b"a" * 999), Answer(None, "BROKEN_OFF"), id="a header without end"),
        pytest.param(for_ever(b"HTTP/1.1 200 ", b"a" * 999), Answer(None, "BROKEN_OFF"), id="a reason without end"),
        pytest.param(for_ever(OK, b"x-h: 1\r\n", 0.01), Answer(None, "TIMED_OUT"), id="a header at a time"),
        pytest.param(for_ever(CHUNKED, b"1\r\na\r\n", 0.01), Answer(None, "TIMED_OUT"), id="a byte at a time"),
        pytest.param(
            for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), Answer(None, "TIMED_OUT"), id="continue without end"
        ),
        pytest.param(for_ever(CHUNKED, b"1000\r\n" + b"a" * 4_096 + b"\r\n"), Answer(200, None), id="an endless body"),
        pytest.param(
            says(CHUNKED + b"7fffffff\r\n" + b"a" * 99_999, then="silence"), Answer(200, None), id="a huge chunk"
        ),
        pytest.param(
            says(OK + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00"),
            Answer(200, None),
            id="a body that is not unpacked",
        ),
    ],
)
async def test_an_answer_is_bounded_in_time_and_size_and_what_is_none_is_a_failure(
    behaviour: Behaviour, answer: Answer
) -> None:
    # Where the answer itself is what ends the post, its time is long.
    timeout_s = 0.5 if answer.error == "TIMED_OUT" else 25.0
    async with hostile(behaviour) as (peer, port), asyncio.timeout(50):
        assert await post(f"http://{NAME}:{port}/hooks", timeout_s) == answer
    assert peer.posts == 1
    assert answer.error is None or answer.error in TRY_ERRORS


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    async with hostile(says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) as (inner, inner_port):
        location = f"HTTP/1.1 {status} x\r\nlocation: http://{NAME}:{inner_port}/\r\ncontent-length: 0\r\n\r\n"
        async with hostile(says(location.encode())) as (_, port):
            assert await post(f"http://{NAME}:{port}/hooks") == Answer(status, "REDIRECTED")
    assert inner.posts == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of hooks.example, signed by itself; its key is beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificate of this test, is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2"),
        *("-keyout", "key.pem", "-out", "certificate.pem"),
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
    return folder / "certificate.pem"


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


async def test_only_a_receiver_that_proves_its_name_over_tls_gets_the_event(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    async with hostile(taken, serving(certificate)) as (peer, port):
        # Nobody vouches for it.
        assert await post(f"https://{NAME}:{port}/") == Answer(None, "TLS_FAILED")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        # It is somebody else.
        assert await post(f"https://other.example:{port}/") == Answer(None, "TLS_FAILED")
        assert peer.posts == 0
        assert await post(f"https://{NAME}:{port}/") == Answer(200, None)
    assert peer.posts == 1


async def test_a_handshake_that_never_ends_is_over_in_time_and_leaves_no_connection() -> None:
    closed = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    gc.disable()
    try:
        async with server, asyncio.timeout(30):
            url = f"https://{NAME}:{server.sockets[0].getsockname()[1]}/"
            assert await post(url, 0.5) == Answer(None, "TIMED_OUT")
            # Not only when the garbage is collected.
            await closed.wait()
    finally:
        gc.enable()
