"""Health checks of the parts of a running system."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.settings import Address
from service_kit.tls.tls_settings import TlsFiles

_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """The answer to a probe."""

    ready: bool
    detail: str
    """One or few words for a person: `serving`, or what is wrong."""


async def grpc_health(address: Address, tls: TlsFiles | None = None) -> Health:
    """The standard gRPC health check of a whole server; `tls` is None for plaintext."""
    # No proxy, no retries: the answer of this moment counts.
    options = (("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))
    async with _channel(address, tls, options) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return Health(ready=False, detail="does not answer")
            return Health(ready=False, detail=f"health check fails: {error.code().name}")
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return Health(ready=True, detail="serving")
    return Health(ready=False, detail="up, but not serving")


def _channel(address: Address, tls: TlsFiles | None, options: Sequence[tuple[str, int]]) -> aio.Channel:
    if tls is None:
        return aio.insecure_channel(str(address), options=options)
    authorities, key, certificate = (_octets(path) for path in (tls.authorities, tls.key, tls.certificate))
    credentials = grpc.ssl_channel_credentials(authorities, key, certificate)
    return aio.secure_channel(str(address), credentials, options=options)


def _octets(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


async def http_health(address: Address, path: str, tls: TlsFiles | None = None) -> Health:
    """Whether GET of the path is answered with 200; `tls` is None for plaintext."""
    try:
        status, body = await asyncio.to_thread(http_get, address, path, tls=tls)
    except OSError:
        return Health(ready=False, detail="does not answer")
    if status == http.client.OK:
        return Health(ready=True, detail="serving")
    return Health(ready=False, detail=_explanation(body) or f"answers {status}")


def _explanation(body: bytes) -> str:
    """The detail of a problem document; empty when the body is none."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return ""
    detail = document.get("detail") if isinstance(document, dict) else None
    return detail if isinstance(detail, str) else ""


def http_get(
    address: Address, path: str, timeout_s: float = _TIMEOUT_S, tls: TlsFiles | None = None
) -> tuple[int, bytes]:
    """Status and body of a GET, without proxies; raises OSError when there is no HTTP answer."""
    connection = (
        http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
        if tls is None
        else http.client.HTTPSConnection(
            address.host, address.port, timeout=timeout_s, context=ssl.create_default_context(cafile=tls.authorities)
        )
    )
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{address} does not speak HTTP") from error
    finally:
        connection.close()
