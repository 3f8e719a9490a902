"""How commands call the services: every call has a deadline, every failure is a sentence and a remedy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from grpc import aio

from service_kit.errors import Violation, invalid
from service_kit.grpc.grpc_errors import ErrorInterceptor
from service_kit.grpc.request_ids import RequestIds
from service_kit.settings import Address
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.service_calls import DEADLINE_S, ask_messaging, messaging_stub, pricing_stub
from sms_cli.shared.terminal import print_failure, print_failure_as_json
from tukupay.sms.messaging.v1 import messaging_pb2
from tukupay.sms.messaging.v1.messaging_pb2_grpc import MessagingServiceStub
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1.pricing_pb2_grpc import PricingServiceServicer, add_PricingServiceServicer_to_server

NOBODY = Address("127.0.0.1", 1)
REQUEST = pb.WithdrawCostRequest(cost_id="cost_1")


class _Pricing(PricingServiceServicer):
    """Answers, and notes how many seconds the caller waits at most."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def WithdrawCost(  # noqa: N802 - named by the proto
        self, request: pb.WithdrawCostRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.WithdrawCostResponse:
        if not request.cost_id:
            raise invalid([Violation("cost_id", "EMPTY", "is empty")])
        self.seconds.append(context.time_remaining() or 0)
        return pb.WithdrawCostResponse(cost=pb.Cost(cost_id=request.cost_id))


@asynccontextmanager
async def running() -> AsyncIterator[tuple[_Pricing, Address]]:
    server = aio.server(interceptors=[RequestIds(), ErrorInterceptor()])
    pricing = _Pricing()  # type: ignore[abstract]
    add_PricingServiceServicer_to_server(pricing, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield pricing, Address("127.0.0.1", port)
    finally:
        await server.stop(None)


async def test_a_call_has_the_deadline_of_its_stub_unless_it_names_one() -> None:
    async with running() as (pricing, address):
        async with pricing_stub(address) as stub:
            await stub.WithdrawCost(REQUEST)
            await stub.WithdrawCost(REQUEST, timeout=300)
        async with pricing_stub(address, deadline_s=90) as stub:
            await stub.WithdrawCost(REQUEST)
    # gRPC rounds deadlines up on the wire.
    assert pricing.seconds == [pytest.approx(seconds, abs=5) for seconds in (DEADLINE_S, 300, 90)]


async def test_a_refusal_names_the_field_as_the_command_does() -> None:
    async with running() as (_, address):
        with pytest.raises(CommandError, match="COST_ID is empty") as caught:
            async with pricing_stub(address, named=str.upper) as stub:
                await stub.WithdrawCost(pb.WithdrawCostRequest())
    assert caught.value.remedy == "correct the value and try again; nothing was stored or charged"
    assert (caught.value.exit_code, caught.value.reason) == (1, "INVALID_ARGUMENT")
    assert caught.value.request_id is not None
    assert UUID(caught.value.request_id).version == 7


def test_an_error_shows_the_id_to_look_for_in_the_logs(capfd: pytest.CaptureFixture[str]) -> None:
    error = CommandError("pricing refused (NO_PRICE): none", "set one", reason="NO_PRICE", request_id="0192e4a0f3b1")
    print_failure(error)
    print_failure_as_json(error)
    words, document = capfd.readouterr().err.rsplit("\n", 2)[:2]
    assert "request 0192e4a0f3b1" in words
    assert json.loads(document)["error"]["requestId"] == "0192e4a0f3b1"
    print_failure_as_json(CommandError("no file", "name one"))
    assert "requestId" not in capfd.readouterr().err


async def test_a_service_that_is_not_there_is_named_with_its_setting() -> None:
    with pytest.raises(CommandError, match=r"pricing does not answer at 127\.0\.0\.1:1") as caught:
        async with pricing_stub(NOBODY, open_end="look whether it did it") as stub:
            await stub.WithdrawCost(REQUEST)
    assert "PRICING_GRPC_ADDRESS" in caught.value.remedy
    with pytest.raises(CommandError, match="messaging does not answer") as caught:
        async with messaging_stub(NOBODY, MessagingServiceStub, deadline_s=None) as client:
            await client.SendSms(messaging_pb2.SendSmsRequest())
    assert "MESSAGING_GRPC_ADDRESS" in caught.value.remedy


def test_a_command_asks_messaging_where_the_settings_say_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESSAGING_GRPC_ADDRESS", str(NOBODY))
    with pytest.raises(CommandError, match=r"messaging does not answer at 127\.0\.0\.1:1"):
        ask_messaging(MessagingServiceStub, lambda stub: stub.SendSms(messaging_pb2.SendSmsRequest()))
