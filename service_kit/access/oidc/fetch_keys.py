"""Fetches the keys of an issuer over HTTPS, bounded in time and size."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import httpx

from service_kit.access.oidc.issuer import Issuer
from service_kit.access.oidc.key_set import KeySet, KeySetError, read_key_set

MAX_BYTES: Final = 262_144
"""A set of some keys has a few thousand."""
FETCH_S: Final = 5.0
"""For all of it: connection, TLS and body."""


async def fetch_keys(issuer: Issuer) -> KeySet:
    """The keys that an issuer publishes now.

    Redirects are not followed, so that keys come from no other host, and neither proxies nor credentials are taken from
    the environment. Raises KeySetError, which says why and quotes nothing of what came.
    """
    try:
        async with asyncio.timeout(FETCH_S):
            document = await _get(issuer)
    except TimeoutError:
        raise KeySetError(f"did not answer within {FETCH_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise KeySetError(f"cannot be reached: {type(error).__name__}") from None
    return read_key_set(document, issuer.algorithms)


async def _get(issuer: Issuer) -> bytes:
    # What is not compressed cannot be a bomb.
    headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
    tls: ssl.SSLContext | bool = False
    if issuer.jwks_url.startswith("https:"):
        tls = await asyncio.to_thread(ssl.create_default_context, cafile=issuer.ca_file)
    async with (
        httpx.AsyncClient(verify=tls, timeout=FETCH_S, follow_redirects=False, trust_env=False) as client,
        client.stream("GET", issuer.jwks_url, headers=headers) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise KeySetError(f"answered with the status {response.status_code}")
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > MAX_BYTES:
                raise KeySetError(f"answered with more than {MAX_BYTES} bytes")
        return bytes(body)
