"""A call without an end ends when the credential of its caller does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from service_kit.access.method_rules import rule_of
from service_kit.access.requirement import Access
from tests.integration.messaging.running_service import service_on
from tests.system.known_callers import KnownCallers, showing
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2, access_pb2_grpc, events_pb2
from tukupay.sms.pricing.v1 import pricing_pb2

pytestmark = pytest.mark.timeout(60)

DEADLINE_S = 20.0


async def test_a_watch_ends_soon_after_its_key_was_revoked(database_url: str, tmp_path: Path) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    operator = callers.add("amina", "*")
    async with service_on(database_url, access=Access.REQUIRED, identities_file=callers.path) as service:
        keys = access_pb2_grpc.AccessServiceStub(service.channel)
        terms = access_pb2.KeyTerms(name="k", mode=common.ACCESS_MODE_LIVE, accounts=["shop"], scopes=["sms:read"])
        made = await keys.CreateKey(access_pb2.CreateKeyRequest(terms=terms), metadata=operator)
        wanted = events_pb2.WatchOutboxRequest(user_id="shop", heartbeat_interval=Duration(nanos=100_000_000))
        watch = service.events.WatchOutbox(wanted, metadata=showing(made.secret))
        async with asyncio.timeout(DEADLINE_S):
            assert await watch.read() is not aio.EOF
            await keys.RevokeKey(access_pb2.RevokeKeyRequest(key_id=made.key.key_id), metadata=operator)
            assert await _end_of(watch) is grpc.StatusCode.UNAUTHENTICATED


async def _end_of(watch: Any) -> grpc.StatusCode:
    """How a stream ends, whatever comes before."""
    try:
        while await watch.read() is not aio.EOF:
            continue
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_every_watch_is_known_to_be_endless() -> None:
    files = (events_pb2, access_pb2, pricing_pb2)
    methods = [
        method
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if rule_of(method).is_endless
    ]
    assert {method.name for method in methods} == {"WatchOutbox", "WatchOutboxEntry", "WatchKeys", "WatchPrices"}
