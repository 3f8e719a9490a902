"""Octets that are no message get a clear status from every service, and leave nothing in the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc import aio
from grpc_health.v1 import health_pb2

from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.settings import Address
from tests.doubles.gateway_doubles import MESSAGING, PRICING, MessagingDouble, PricingDouble
from tukupay.sms.messaging.v1 import messaging_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_UTF_8 = b"\x0a\x02\xff\xfe"
CUT_SHORT = b"\x0a\x20ab"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel() -> AsyncIterator[aio.Channel]:
    server = GrpcServer(Address("127.0.0.1", 0), [MESSAGING, PRICING])
    messaging_pb2_grpc.add_MessagingServiceServicer_to_server(MessagingDouble(), server.grpc)
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(PricingDouble(), server.grpc)
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
    await server.stop(0)


async def refused(call: Any) -> aio.AioRpcError:
    answer = call.read() if hasattr(call, "read") else call
    with pytest.raises(aio.AioRpcError) as caught:
        await answer
    return caught.value


@pytest.mark.parametrize("octets", [NOT_UTF_8, CUT_SHORT])
@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (f"/{MESSAGING}/SendSms", "unary_unary"),
        (f"/{MESSAGING}/SendSmsBatch", "unary_stream"),
        (f"/{PRICING}/WithdrawCost", "unary_unary"),
        (f"/{PRICING}/ImportCostsInParts", "stream_stream"),
        ("/grpc.health.v1.Health/Check", "unary_unary"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "stream_stream"),
    ],
)
async def test_octets_that_are_no_message_are_refused(
    channel: aio.Channel, caplog: pytest.LogCaptureFixture, method: str, kind: str, octets: bytes
) -> None:
    caplog.set_level(logging.WARNING)
    call = getattr(channel, kind)(method)
    error = await refused(call(iter([octets])) if kind == "stream_stream" else call(octets))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "class" not in (error.details() or "")
    service_error = from_rpc_error(error)
    assert service_error is not None
    assert service_error.reason == "MALFORMED_REQUEST"
    assert caplog.records == []


async def test_a_message_is_still_read(channel: aio.Channel) -> None:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    assert (await check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.NOT_SERVING
