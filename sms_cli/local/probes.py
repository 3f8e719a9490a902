"""Health checks of the parts of a running system."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.settings import Address

_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """The answer to a probe."""

    ready: bool
    detail: str
    """One or few words for a person: `serving`, or what is wrong."""


async def grpc_health(address: Address) -> Health:
    """The standard gRPC health check of a whole server."""
    # No proxy, no retries: the answer of this moment counts.
    options = (("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))
    async with aio.insecure_channel(str(address), options=options) as channel:
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


async def http_health(address: Address, path: str) -> Health:
    """Whether GET of the path is answered with 200."""
    try:
        status, body = await asyncio.to_thread(http_get, address, path)
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


def http_get(address: Address, path: str, timeout_s: float = _TIMEOUT_S) -> tuple[int, bytes]:
    """Status and body of a GET, without proxies; raises OSError when there is no HTTP answer."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{address} does not speak HTTP") from error
    finally:
        connection.close()
