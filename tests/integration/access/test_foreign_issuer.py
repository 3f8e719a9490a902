"""Tokens of the npm package `oauth2-mock-server`, its keys over HTTP; and issuers that are down, slow or broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service_kit.access.oidc import fetch_keys as fetching
from service_kit.access.oidc.fetch_keys import MAX_BYTES, fetch_keys
from service_kit.access.oidc.issuer import Issuer
from service_kit.access.oidc.key_set import KeySetError
from service_kit.access.oidc.verifier import FileVerifier, TokenVerifier
from service_kit.errors import Kind, ServiceError
from tests.doubles.token_issuer import TokenIssuer
from tests.integration.access.foreign_issuer import ForeignIssuer, foreign_issuer
from tests.system.node_peers import PEERS, installed_peer
from tests.system.ports import free_port

CLAIMS = {"aud": "tukupay-sms", "sub": "auth0|5f7c", "scope": "openid sms:send", "accounts": ["shop"]}


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_peer(request, tmp_path_factory, PEERS / "issuer", "issuer_peer")


@pytest.fixture
async def issuer(peer: Path) -> AsyncIterator[ForeignIssuer]:
    async with foreign_issuer(peer) as issuer:
        yield issuer


def trusted(url: str, jwks_url: str, *algorithms: str) -> Issuer:
    return Issuer(
        "staff",
        url,
        ("tukupay-sms",),
        jwks_url,
        algorithms or ("RS256",),
        leeway_s=5,
        scopes_claim=("scope",),
        accounts_claim=("accounts",),
    )


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
async def test_its_tokens_are_taken(issuer: ForeignIssuer, algorithm: str) -> None:
    await issuer.start(first=algorithm)
    verifier = TokenVerifier([trusted(issuer.url, issuer.jwks_url, algorithm)])
    principal = await verifier.verify(await issuer.token("first", **CLAIMS))
    assert principal.id == "staff:auth0|5f7c"
    assert principal.accounts == frozenset({"shop"})
    assert principal.scopes == {"sms:send"}


async def test_its_tokens_for_others_and_from_other_times_are_refused(issuer: ForeignIssuer) -> None:
    await issuer.start(first="RS256")
    verifier = TokenVerifier([trusted(issuer.url, issuer.jwks_url)])
    now = int(time.time())
    for wrong in ({"aud": "other"}, {"exp": now - 60}, {"nbf": now + 60}, {"sub": "a b"}, {"iss": "http://other"}):
        with pytest.raises(ServiceError) as raised:
            await verifier.verify(await issuer.token("first", **{**CLAIMS, **wrong}))
        assert raised.value.kind is Kind.UNAUTHENTICATED


async def test_it_rotates_its_keys(issuer: ForeignIssuer) -> None:
    await issuer.start(first="RS256")
    monotonic = [0.0]
    verifier = TokenVerifier([trusted(issuer.url, issuer.jwks_url)], monotonic=lambda: monotonic[0])
    first = await issuer.token("first", **CLAIMS)
    await verifier.verify(first)
    await issuer.add("second", "RS256")
    monotonic[0] += 31
    await verifier.verify(await issuer.token("second", **CLAIMS))
    other = await issuer.token("first", **CLAIMS, jti="another")
    await issuer.start(third="RS256")
    monotonic[0] += 31
    await verifier.verify(await issuer.token("third", **CLAIMS))
    with pytest.raises(ServiceError) as raised:
        await verifier.verify(other)
    assert raised.value.kind is Kind.UNAUTHENTICATED


async def test_its_keys_serve_while_it_is_down(issuer: ForeignIssuer) -> None:
    await issuer.start(first="RS256")
    monotonic = [0.0]
    verifier = TokenVerifier([trusted(issuer.url, issuer.jwks_url)], monotonic=lambda: monotonic[0])
    await verifier.verify(await issuer.token("first", **CLAIMS))
    late = await issuer.token("first", **CLAIMS, jti="late")
    later = await issuer.token("first", **CLAIMS, jti="later")
    await issuer.stop()
    monotonic[0] += 3_599
    await verifier.verify(late)
    monotonic[0] += 2
    with pytest.raises(ServiceError) as raised:
        await verifier.verify(later)
    assert raised.value.reason == "IDENTITY_PROVIDER_UNAVAILABLE"
    await verifier.close()


async def test_an_issuer_that_was_never_up_makes_nobody_known(tmp_path: Path) -> None:
    path = tmp_path / "issuers.toml"
    url = f"http://127.0.0.1:{free_port()}"
    path.write_text(
        f'[[issuers]]\nname = "staff"\nissuer = "{url}"\naudiences = ["tukupay-sms"]\n'
        f'jwks_url = "{url}/jwks"\nalgorithms = ["ES256"]\n'
    )
    verifier = FileVerifier(path)
    with pytest.raises(ServiceError) as raised:
        await verifier(TokenIssuer().token(iss=url))
    assert raised.value.kind is Kind.UNAVAILABLE
    await verifier.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[Issuer]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield trusted(url, f"{url}/jwks", "ES256")


def answering(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> Serve:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers, b"", b""]
        writer.write(b"\r\n".join(lines) + body)
        await writer.drain()

    return serve


async def test_keys_are_read_over_http() -> None:
    async with listening(answering(TokenIssuer().jwks())) as issuer:
        assert set(await fetch_keys(issuer)) == {"k1"}


@pytest.mark.parametrize(
    ("body", "status", "headers", "says"),
    [
        (b"<html>", b"200 OK", (), "not a JWKS"),
        (b"", b"200 OK", (), "not a JWKS"),
        (b"no", b"500 Broken", (), "status 500"),
        (b"", b"302 Found", (b"location: http://127.0.0.1:1/keys",), "status 302"),
        (b" " * (MAX_BYTES + 1), b"200 OK", (), "more than"),
        (b"\x1f\x8b" + b"x" * 100, b"200 OK", (b"content-encoding: gzip",), "not a JWKS"),
    ],
)
async def test_an_answer_that_is_no_key_set_is_told(
    body: bytes, status: bytes, headers: tuple[bytes, ...], says: str
) -> None:
    async with listening(answering(body, status, *headers)) as issuer:
        with pytest.raises(KeySetError, match=says):
            await fetch_keys(issuer)


async def test_an_issuer_that_does_not_answer_is_waited_for_no_longer_than_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "FETCH_S", 0.3)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    for serve in (silent, dripping):
        async with listening(serve) as issuer:
            began = time.monotonic()
            with pytest.raises(KeySetError, match="did not answer"):
                await fetch_keys(issuer)
            assert time.monotonic() - began < 2


async def test_a_connection_that_ends_early_is_a_failure() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")

    async with listening(cut) as issuer:
        with pytest.raises(KeySetError, match="cannot be reached"):
            await fetch_keys(issuer)
