"""HTTP over TLS: what is spoken, who is refused, and certificates that change while requests come."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from service_kit.settings import Address, SettingsError
from service_kit.tls.tls_settings import TlsFiles
from service_kit.tls.watched_tls import WatchedTls
from service_kit.web import http_server
from service_kit.web.http_server import HttpServer
from tests.system.certificates import Authority, Certificate

LOOPBACK = Address("127.0.0.1", 0)


class Site:
    """A server and its authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = Authority()
        self.show(self.authority.sign())
        self.tls = WatchedTls("server", TlsFiles(folder / "site.crt", folder / "site.key"))
        self.server = HttpServer(LOOPBACK, PlainTextResponse("hello"), drain_s=1, tls=self.tls)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}/"

    def show(self, certificate: Certificate) -> None:
        """Puts a certificate into the server's files."""
        certificate.write(self._folder, "site")

    def trusting(self, authority: Authority | None = None) -> ssl.SSLContext:
        """The context of a client that knows one authority."""
        return ssl.create_default_context(cadata=(authority or self.authority).pem.decode())

    async def get(self, context: ssl.SSLContext) -> httpx.Response:
        async with httpx.AsyncClient(verify=context, timeout=10, trust_env=False) as client:
            return await client.get(self.url)

    async def shown(self) -> bytes:
        """The certificate that a new connection is shown."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.server.port, ssl=self.trusting())
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return shown


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    await site.server.start()
    yield site
    await site.server.stop()


async def test_requests_are_answered_over_tls(site: Site) -> None:
    answer = await site.get(site.trusting())
    assert (answer.status_code, answer.text) == (200, "hello")


async def test_what_is_spoken_is_http_1_1_over_tls_1_3(site: Site) -> None:
    context = site.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection("127.0.0.1", site.server.port, ssl=context)
    spoken = writer.get_extra_info("ssl_object")
    assert (spoken.version(), spoken.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    writer.close()
    await writer.wait_closed()


async def test_tls_1_2_is_spoken_with_forward_secrecy(site: Site) -> None:
    context = site.trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert (await site.get(context)).text == "hello"
    context.set_ciphers("AES128-GCM-SHA256:AES256-SHA")
    with pytest.raises(httpx.ConnectError):
        await site.get(context)


async def test_a_client_that_does_not_know_the_authority_does_not_go_on(site: Site) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await site.get(site.trusting(Authority("somebody else")))


async def test_plaintext_is_not_answered(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: site\r\n\r\n")
    try:
        assert b"HTTP" not in await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_requests_go_on_while_certificates_change(site: Site) -> None:
    before = await site.shown()
    async with httpx.AsyncClient(verify=site.trusting(), timeout=10, trust_env=False) as kept:
        for _ in range(3):
            site.show(site.authority.sign())
            await site.tls.look()
            assert (await kept.get(site.url)).text == "hello"
            after = await site.shown()
            assert after != before
            before = after


async def test_a_half_written_pair_leaves_the_old_one_in_use(site: Site, tmp_path: Path) -> None:
    before = await site.shown()
    (tmp_path / "site.crt").write_bytes(site.authority.sign().chain)
    await site.tls.look()
    assert await site.shown() == before


async def test_a_client_that_does_not_shake_hands_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HANDSHAKE_TIMEOUT_S", 0.2)
    other = HttpServer(LOOPBACK, PlainTextResponse("hello"), drain_s=1, tls=site.tls)
    await other.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    finally:
        await other.stop()


async def test_clients_that_do_not_shake_hands_keep_nobody_waiting(site: Site) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", site.server.port) for _ in range(200)]
    try:
        assert (await site.get(site.trusting())).text == "hello"
    finally:
        for _, writer in silent:
            writer.transport.abort()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: site\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/2.0\r\nHost: site\r\n\r\n", 505),
        (b"nothing of HTTP\r\n\r\n", 400),
    ],
    ids=["too large", "of another version", "of nothing"],
)
async def test_what_is_refused_is_answered_over_tls_too(site: Site, head: bytes, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port, ssl=site.trusting())
    writer.write(head)
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    writer.close()


async def test_a_body_that_is_cut_off_ends_the_request(site: Site) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", site.server.port, ssl=site.trusting())
    writer.write(b"POST / HTTP/1.1\r\nHost: site\r\nContent-Length: 10\r\n\r\nabc")
    await writer.drain()
    writer.transport.abort()
    assert (await site.get(site.trusting())).text == "hello"


def test_a_key_that_openssl_finds_too_short_is_named_at_the_start(tmp_path: Path) -> None:
    weak = Authority().sign(rsa_bits=1024)
    tls = WatchedTls("server", TlsFiles(*weak.write(tmp_path, "weak")))
    with pytest.raises(SettingsError, match="EE_KEY_TOO_SMALL"):
        HttpServer(LOOPBACK, PlainTextResponse("hello"), drain_s=1, tls=tls)
