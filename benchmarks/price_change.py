"""How long a price change takes to be charged, and what messaging's copy of the price book saves a lone send.

Starts systems of its own (`tukupay-sms up` in a temporary home) and stops them. A price is set in pricing, and
quotes are asked of messaging until one shows it: the time counts from the answer to SetCost to that quote.
Then single messages are sent one after another, with the copy and without it, on the same machine in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))

import uvloop
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from benchmarks.own_system import OwnSystem, own_system
from service_kit.grpc.channel import open_channel
from service_kit.settings import address
from tukupay.sms.messaging.v1 import messaging_pb2, messaging_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc

CUSTOMER = "bench-customer"
NO_COPY = {"MESSAGING_PRICE_COPY_ANSWERS": "0"}

_numbers = count(1)


@dataclass(frozen=True)
class Clients:
    """Stubs of a running system."""

    messaging: messaging_pb2_grpc.MessagingServiceAsyncStub
    pricing: pricing_pb2_grpc.PricingServiceAsyncStub

    async def send(self) -> None:
        """Sends one message and waits for its outcome."""
        number = next(_numbers)
        request = messaging_pb2.SendSmsRequest(
            user_id=CUSTOMER,
            recipient_phone_number=f"+2547120{number % 100_000:05}",
            message="Your OTP is 123456.",
            sender_id="TUKUPAY",
        )
        await self.messaging.SendSms(request)

    async def quoted(self) -> int:
        """What a unit costs, in micros, as messaging has it."""
        request = messaging_pb2.QuoteSmsRequest(user_id=CUSTOMER, message="Habari")
        return (await self.messaging.QuoteSms(request)).unit_price_micros

    async def set_price(self, micros: int) -> None:
        """Sets the customer's price."""
        effective = Timestamp()
        effective.GetCurrentTime()
        effective.seconds -= 60
        await self.pricing.SetCost(
            pricing_pb2.SetCostRequest(
                level=pricing_pb2.COST_LEVEL_SPECIFIC_CUSTOMER,
                customer_id=CUSTOMER,
                price_micros=micros,
                reason="benchmark",
                created_by="benchmark",
                effective_from=effective,
            )
        )


@dataclass
class Times:
    """Milliseconds."""

    values: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """For a table in Markdown."""
        ordered = sorted(self.values)
        p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
        numbers = (statistics.median(ordered), p99, ordered[-1])
        return f"| {name} | {len(ordered):,} | " + " | ".join(f"{number:,.2f}" for number in numbers) + " |"


@contextlib.asynccontextmanager
async def _clients(system: OwnSystem) -> AsyncIterator[Clients]:
    async with open_channel(address(system.messaging)) as messaging, open_channel(address(system.pricing)) as pricing:
        yield Clients(messaging_pb2_grpc.MessagingServiceStub(messaging), pricing_pb2_grpc.PricingServiceStub(pricing))


@contextlib.asynccontextmanager
async def _senders(clients: Clients, callers: int) -> AsyncIterator[None]:
    """While so many callers send without a pause."""

    async def send() -> None:
        while True:
            with contextlib.suppress(aio.AioRpcError):
                await clients.send()

    tasks = [asyncio.ensure_future(send()) for _ in range(callers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _changes(clients: Clients, changes: int) -> Times:
    times = Times()
    for number in range(changes):
        micros = 500_000 + number % 1_000
        await clients.set_price(micros)
        set_at = perf_counter()
        while await clients.quoted() != micros:  # noqa: ASYNC110 - leaves the processor to those who are measured
            await asyncio.sleep(0.001)
        times.values.append((perf_counter() - set_at) * 1_000)
    return times


async def _sends(clients: Clients, sends: int, times: Times) -> None:
    for number in range(sends + 50):
        begun = perf_counter()
        await clients.send()
        if number >= 50:
            times.values.append((perf_counter() - begun) * 1_000)


async def _main(arguments: argparse.Namespace) -> None:
    with_copy, without = Times(), Times()
    rows: list[str] = []
    for turn in range(arguments.turns):
        async with own_system(NO_COPY) as system, _clients(system) as clients:
            await clients.set_price(500_000)
            await _sends(clients, arguments.sends, without)
        async with own_system({}) as system, _clients(system) as clients:
            await clients.set_price(500_000)
            await _sends(clients, arguments.sends, with_copy)
            if turn == 0:
                rows.append((await _changes(clients, arguments.changes)).row("a change until it is charged, idle"))
                async with _senders(clients, arguments.callers):
                    times = await _changes(clients, arguments.changes)
                rows.append(times.row(f"a change until it is charged, {arguments.callers} callers sending"))
    print("|  | times | median ms | p99 ms | max ms |\n| --- | ---: | ---: | ---: | ---: |")
    print(*rows, without.row("a lone SendSms without the copy"), with_copy.row("a lone SendSms with it"), sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--sends", type=int, default=500)
    parser.add_argument("--turns", type=int, default=3)
    uvloop.run(_main(parser.parse_args()))
