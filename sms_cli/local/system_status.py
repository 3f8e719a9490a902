"""`tukupay-sms status`: how the parts of the local system are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from sms_cli.local.probes import Health, grpc_health, http_health
from sms_cli.shared.local_settings import DATABASE_VARIABLES, LocalSettings

_CONNECT_TIMEOUT_S = 3


@dataclass(frozen=True, slots=True)
class PartStatus:
    """The state of one part."""

    part: str
    address: str
    health: Health


async def all_parts(settings: LocalSettings, environment: Mapping[str, str]) -> Sequence[PartStatus]:
    """Asks every part at the same time; a database is left out when its URL is not known."""
    databases = [
        (f"{service} database", "PostgreSQL", _database_health(environment[variable]))
        for service, variable in DATABASE_VARIABLES.items()
        if variable in environment
    ]
    tls = settings.tls.files
    asked = [
        *databases,
        ("pricing", f"gRPC {settings.pricing}", grpc_health(settings.pricing, tls)),
        ("sandbox", f"http://{settings.sandbox_http}/", http_health(settings.sandbox_http, "/stats")),
        ("messaging", f"gRPC {settings.messaging}", grpc_health(settings.messaging, tls)),
        ("gateway", f"{settings.gateway_url}/", http_health(settings.gateway, "/readyz", tls)),
    ]
    answers = await asyncio.gather(*(probe for _, _, probe in asked))
    return [PartStatus(part, place, health) for (part, place, _), health in zip(asked, answers, strict=True)]


async def _database_health(url: str) -> Health:
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.OperationalError:
        return Health(ready=False, detail="does not answer")
    await connection.close()
    return Health(ready=True, detail="serving")
