"""An issuer of tokens in this process: its keys, and tokens as it, or a forger, would make them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service_kit.access.oidc.issuer import ALGORITHMS, Issuer
from service_kit.access.oidc.key_set import KeySet, KeySetError, read_key_set

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
ISSUER = "https://id.example.com/realms/tukupay"
AUDIENCE = "tukupay-sms"
NOW = 1_790_000_000.0


def new_key(algorithm: str) -> PrivateKey:
    """A private key for an algorithm."""
    kind, curve = ALGORITHMS[algorithm]
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "OKP":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return ec.generate_private_key(curves[str(curve)])


def public_pem(key: PrivateKey) -> bytes:
    """The public half, as forgers use it for a shared secret."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def to_jwk(kid: str, algorithm: str, key: PrivateKey, **members: str) -> dict[str, Any]:
    """The public half as a JWK."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": algorithm, **members}


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token with any header and any signature."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def claims(**given: Any) -> dict[str, Any]:
    """Claims of a good token; None takes one away."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW - 10, "exp": NOW + 300, "scope": "sms:send"}
    return {name: value for name, value in {**good, **given}.items() if value is not None}


class TokenIssuer:
    """Its keys by kid, and how often they were fetched; `problem` makes fetches fail."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.keys: dict[str, PrivateKey] = {"k1": new_key(algorithm)}
        self.fetches = 0
        self.problem: str | None = None

    def jwks(self) -> bytes:
        """What it publishes."""
        return json.dumps({"keys": [to_jwk(kid, self.algorithm, key) for kid, key in self.keys.items()]}).encode()

    async def fetch(self, issuer: Issuer) -> KeySet:
        """Stands where `fetch_keys` stands."""
        self.fetches += 1
        if self.problem is not None:
            raise KeySetError(self.problem)
        return read_key_set(self.jwks(), issuer.algorithms)

    def token(self, kid: str = "k1", *, key: PrivateKey | None = None, **given: Any) -> str:
        """A token with these claims, signed by the key of that name or by another one."""
        return jwt.encode(claims(**given), key or self.keys[kid], self.algorithm, headers={"kid": kid})


@asynccontextmanager
async def published(issuer: TokenIssuer, file: Path) -> AsyncIterator[TokenIssuer]:
    """Serves its keys over loopback, and writes an issuers file that trusts it.

    A caller has the scopes and the accounts that its token names.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        issuer.fetches += 1
        body = issuer.jwks()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        trust(issuer, file, f"http://127.0.0.1:{port}/jwks")
        yield issuer


def trust(issuer: TokenIssuer, file: Path, jwks_url: str) -> None:
    """Writes an issuers file that trusts it, with its keys at a URL."""
    file.write_text(
        f'[[issuers]]\nname = "staff"\nissuer = "{ISSUER}"\naudiences = ["{AUDIENCE}"]\n'
        f'jwks_url = "{jwks_url}"\nalgorithms = ["{issuer.algorithm}"]\n'
        'scopes_claim = "scope"\naccounts_claim = "accounts"\n'
    )
