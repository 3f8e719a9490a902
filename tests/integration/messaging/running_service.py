"""The service in this process, over real gRPC, with a carrier and a price book that tests script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.files.carriers_file import CarrierSpec
from messaging_service.sending.outbox import Outbox
from messaging_service.wiring.bootstrap import running
from messaging_service.wiring.seams import Seams
from service_kit.errors import ServiceError
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_errors import from_rpc_error
from service_kit.settings import Address
from tests.contract.sms_examples import RECIPIENT
from tests.doubles.scripted_carrier import ScriptedCarrier
from tests.system.messaging_settings import messaging_settings
from tukupay.sms.common.v1 import errors_pb2
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc, events_pb2_grpc, messaging_pb2_grpc
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

DEADLINE_S = 20.0


class ScriptedPricing(pricing_pb2_grpc.PricingServiceServicer):
    """Prices every unit at 0.6 KES, but for customers who are listed with a reason not to."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.questions: list[pricing_pb2.ResolvePriceRequest] = []
        self.calls = 0

    async def BatchResolvePrices(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the proto
        self.calls += 1
        self.questions.extend(request.requests)
        return pricing_pb2.BatchResolvePricesResponse(results=[self._result(item) for item in request.requests])

    def _result(self, item: Any) -> Any:
        reason = self.failures.get(item.customer_id)
        if reason is not None:
            return pricing_pb2.PriceResult(error=errors_pb2.ItemError(code=5, reason=reason, message="none"))
        cost = pricing_pb2.Cost(cost_id="cost_1", level=pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER, price_micros=600_000)
        return pricing_pb2.PriceResult(price=pricing_pb2.ResolvePriceResponse(cost=cost))


def _pricing() -> ScriptedPricing:
    return ScriptedPricing()  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED


@asynccontextmanager
async def priced() -> AsyncIterator[int]:
    """A price book with one price for all; its port."""
    server = aio.server()
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(_pricing(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(None)


@dataclass
class Running:
    """A running service, its client, and what it talks to."""

    sms: messaging_pb2_grpc.MessagingServiceAsyncStub
    accounts: accounts_pb2_grpc.AccountServiceAsyncStub
    events: events_pb2_grpc.EventServiceAsyncStub
    channel: aio.Channel
    carrier: ScriptedCarrier
    pricing: ScriptedPricing
    pricing_server: aio.Server
    window: int
    address: Address
    sinks: list[CarrierSinks] = field(default_factory=list)

    async def send(self, **fields: Any) -> pb.SendSmsResponse:
        """Sends one message and waits for its outcome."""
        return await self.sms.SendSms(message(**fields))

    async def batch(self, items: Iterable[pb.SendSmsRequest]) -> dict[int, pb.SendSmsBatchResult]:
        """Sends a batch; every item is answered once."""
        answers: dict[int, pb.SendSmsBatchResult] = {}
        async for response in self.sms.SendSmsBatch(pb.SendSmsBatchRequest(items=items)):
            assert response.results
            for result in response.results:
                assert result.index not in answers
                answers[result.index] = result
        return answers

    async def entry(self, outbox_id: str) -> pb.OutboxEntry:
        """An entry as it stands."""
        return (await self.sms.GetOutboxEntry(pb.GetOutboxEntryRequest(outbox_id=outbox_id))).entry

    async def entries(self, user_id: str = "user123") -> list[pb.OutboxEntry]:
        """All entries of an account."""
        return list((await self.sms.ListOutboxEntries(pb.ListOutboxEntriesRequest(user_id=user_id))).entries)

    async def all_slots_back(self) -> None:
        """Returns when no place of the window is taken; the claim loop takes some for a moment at each look."""
        async with asyncio.timeout(DEADLINE_S):
            while self.carrier.is_up and self.carrier.free_slots < self.window:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0)

    async def money(self, user_id: str = "user123") -> tuple[int, int]:
        """Posted and held, in micros."""
        account = (await self.accounts.GetAccount(accounts_pb2.GetAccountRequest(user_id=user_id))).account
        return account.posted_micros, account.held_micros


def message(**fields: Any) -> pb.SendSmsRequest:
    """A request without a fault that waits for its outcome."""
    request: dict[str, Any] = {
        "user_id": "user123",
        "recipient_phone_number": RECIPIENT,
        "message": "Your OTP is 123456.",
        "sender_id": "TUKUPAY",
        "outcome_wait": Duration(seconds=10),
    }
    return pb.SendSmsRequest(**(request | fields))


@asynccontextmanager
async def service_on(
    url: str,
    *,
    window: int = 10,
    several: Mapping[str, ScriptedCarrier] = MappingProxyType({}),
    real_carriers: bool = False,
    outbox: Callable[[Outbox], Outbox] = lambda outbox: outbox,
    **choices: Any,
) -> AsyncIterator[Running]:
    """A messaging service with its own price book and carrier, on free ports.

    `several`: the carriers of a service that has a carriers file, by name. `real_carriers`: those of the settings
    instead, over the network; `carrier` and `sinks` of what is given are then without use.
    """
    pricing, carrier, sinks = _pricing(), ScriptedCarrier(window), list[CarrierSinks]()
    pricing_server = aio.server()
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(pricing, pricing_server)
    pricing_port = pricing_server.add_insecure_port("127.0.0.1:0")
    await pricing_server.start()

    def scripted(spec: CarrierSpec, sink: CarrierSinks, _: BindLeases) -> ScriptedCarrier:
        sinks.append(sink)
        return several.get(spec.name, carrier)

    settings = messaging_settings(
        **{
            "database_url": url,
            "smpp_host": "127.0.0.1",
            "smpp_port": 2775,
            "smpp_system_id": "unused",
            "smpp_password": "unused",
            "grpc_address": Address("127.0.0.1", 0),
            "pricing_address": Address("127.0.0.1", pricing_port),
            "carrier_grace_s": 0.05,
            "poll_s": 0.05,
            "sweep_s": 0.1,
            "drain_s": 5.0,
            **choices,
        }
    )
    try:
        async with (
            running(settings, Seams(outbox=outbox) if real_carriers else Seams(outbox, scripted)) as server,
            open_channel(Address("127.0.0.1", server.port)) as channel,
        ):
            yield Running(
                messaging_pb2_grpc.MessagingServiceStub(channel),
                accounts_pb2_grpc.AccountServiceStub(channel),
                events_pb2_grpc.EventServiceStub(channel),
                channel,
                carrier,
                pricing,
                pricing_server,
                window,
                Address("127.0.0.1", server.port),
                sinks,
            )
    finally:
        await pricing_server.stop(None)


async def refusal_of(call: Any) -> ServiceError:
    """The failure that a call ends with, in the agreed form."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    error = from_rpc_error(caught.value)
    assert error is not None, f"{caught.value.code()}: {caught.value.details()}"
    assert caught.value.code() is not grpc.StatusCode.INTERNAL
    return error
