"""What a person hears when pricing goes away while it records prices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import grpc
import pytest
from grpc import aio

from service_kit.grpc.context import Context
from service_kit.settings import Address
from sms_cli.costs.cost_files import read_costs
from sms_cli.costs.cost_import import CostImport, ImportOptions
from sms_cli.costs.price_calls import record_cost, withdraw_cost
from sms_cli.shared.command_error import CommandError
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

FILE = "level,customerId,appId,pricePerSms,effectiveFrom,reason\nDirectCustomer,,,0.8,2026-01-01T00:00:00Z,\n"
OPTIONS = ImportOptions("amina", allow_free=False, override_guards=False)


class _Leaving(pricing_pb2_grpc.PricingServiceServicer):
    """Takes the rows and is gone before it answers, as a process that is killed."""

    async def ImportCostsInParts(  # noqa: N802 - named by the proto
        self,
        request_iterator: AsyncIterator[pb.ImportCostsInPartsRequest],
        context: Context,
    ) -> AsyncIterator[pb.ImportCostsInPartsResponse]:
        async for part in request_iterator:
            yield pb.ImportCostsInPartsResponse(checked_rows=len(part.rows))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    async def SetCost(  # noqa: N802
        self, request: pb.SetCostRequest, context: Context
    ) -> pb.SetCostResponse:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    async def WithdrawCost(  # noqa: N802
        self, request: pb.WithdrawCostRequest, context: Context
    ) -> pb.WithdrawCostResponse:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


@asynccontextmanager
async def leaving() -> AsyncIterator[Address]:
    server = aio.server()
    servicer = _Leaving()  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Address("127.0.0.1", port)
    finally:
        await server.stop(None)


def recorded(pricing: Address) -> Coroutine[Any, Any, pb.SetCostResponse]:
    level = pb.COST_LEVEL_DIRECT_CUSTOMER
    return record_cost(
        pricing, level, Decimal("0.8"), customer=None, app=None, reason=None, effective_from=None, author="amina"
    )


async def test_an_import_whose_end_is_unknown_says_so_and_that_repeating_is_safe() -> None:
    async with leaving() as pricing:
        importing = CostImport(pricing, read_costs(FILE))
        with pytest.raises(CommandError, match="went away before it answered") as recording:
            await importing.record(OPTIONS, "key", lambda _: None)
        with pytest.raises(CommandError, match="does not answer") as trying:
            await importing.try_out(OPTIONS, lambda _: None)
    assert "may or may not have been recorded" in recording.value.remedy
    assert "records nothing twice" in recording.value.remedy
    assert "may or may not" not in trying.value.remedy


async def test_so_does_a_single_price() -> None:
    async with leaving() as pricing:
        with pytest.raises(CommandError, match="went away before it answered") as caught:
            await recorded(pricing)
        assert "may or may not have been recorded" in caught.value.remedy
        with pytest.raises(CommandError, match="went away before it answered") as caught:
            await withdraw_cost(pricing, "cost_1", author="amina", reason="slip")
        assert "may or may not have been taken back" in caught.value.remedy


async def test_pricing_that_was_never_reached_has_surely_recorded_nothing() -> None:
    async with leaving() as pricing:
        pass
    with pytest.raises(CommandError, match="does not answer") as caught:
        await recorded(pricing)
    assert "tukupay-sms up" in caught.value.remedy
