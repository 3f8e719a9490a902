"""What recording, settling and receipts cost by the size of their batches; see README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from typing import TypeVar
from uuid import UUID

import msgspec
import psycopg
import uvloop
from rich.console import Console
from uuid_utils.compat import uuid7

from benchmarks.processes import children
from messaging_service.carriers.domain.submission import DeliveryReceipt, Outcome, OutcomeKind, ReceiptState
from messaging_service.receipts.postgres.postgres_receipt_inbox import PostgresReceiptInbox
from messaging_service.sending.domain.validation import SendDraft, validate
from messaging_service.sending.outbox import Acceptance, Accepted, Settlement
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Windows
from messaging_service.shared.domain.money import Price, PriceLevel
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.migrate import migrate
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.postgres.database import Pool, create_pool

ACCOUNTS = 1_000
CARRIER = "smpp"
PRICE = Price(Decimal("0.6"), "cost_1", PriceLevel.DIRECT_CUSTOMER)
STEPS = ("record", "settle", "store receipts", "work receipts")

R = TypeVar("R")

console = Console(width=max(120, Console().width))


class Cost(msgspec.Struct, frozen=True):
    """Of one step, for each message, in microseconds of processor time."""

    client: float
    server: float


class Meter:
    """Adds up what steps cost this process, and the server with its backends."""

    def __init__(self, server: EmbeddedPostgres, backends: Sequence[int] = ()) -> None:
        """Call it when all connections are made: backends of later ones are not seen.

        `backends`: the processes that count; all of the server unless given.
        """
        if server.pid is None:
            raise RuntimeError("the server does not run")
        self._pids = tuple(backends) or (server.pid, *children(server.pid))
        self.costs: dict[tuple[int, str], list[Cost]] = {}

    async def step(self, messages: int, name: str, work: Awaitable[R]) -> R:
        """Does the work and notes what it cost."""
        server, client = self._server_ns(), time.process_time_ns()
        result = await work
        client, server = time.process_time_ns() - client, self._server_ns() - server
        self.costs.setdefault((messages, name), []).append(Cost(client / 1e3 / messages, server / 1e3 / messages))
        return result

    def _server_ns(self) -> int:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in self._pids)


def requests(new_id: Callable[[], UUID] = uuid7, *, prefix: str = "otp-") -> Iterator[Acceptance]:
    """Different requests without end, from the accounts in a mixed order."""
    for number in itertools.count():
        now = datetime.now(UTC)
        draft = SendDraft(
            user_id=f"account{number * 7_919 % ACCOUNTS:04}",
            recipient_phone_number=f"+2547{number % 10**8:08}",
            message=f"Your code is {number % 10**6:06}. Do not share it with anybody.",
            sender_id="TukuPay",
            message_id=f"{prefix}{number:09}",
            tags=("otp",),
            custom_data_json='{"purpose":"login"}',
        )
        request = validate(draft, now=now, phone_problem=lambda _: None, max_units=10)
        key = str(request.client_message_id)
        yield Acceptance(new_id(), request, PRICE, now, now, key, request.fingerprint(), claimed=True)


def receipt(reference: str, recipient: str) -> DeliveryReceipt:
    """A receipt that says that a message was delivered."""
    return DeliveryReceipt(
        carrier=CARRIER,
        carrier_message_id=reference,
        state=ReceiptState.DELIVERED,
        recipient=recipient,
        sender_id="TukuPay",
        network_error=None,
        done_at=datetime.now(UTC),
        raw=f"id:{reference} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000",
    )


async def _measure(pool: Pool, meter: Meter, sizes: Sequence[int], repeats: int) -> None:
    outbox = PostgresOutbox(pool, "benchmark", Windows(lease_s=30, margin_s=5, unknown_s=86_400, queue_s=3_600))
    inbox = PostgresReceiptInbox(pool, "benchmark")
    made = requests()
    # Sizes take turns, so that a slow minute hits none alone.
    for _ in range(repeats):
        for size in sizes:
            batch = list(itertools.islice(made, size))
            answers = await meter.step(size, "record", outbox.accept(batch))
            messages = [answer.message for answer in answers if isinstance(answer, Accepted)]
            if len(messages) < size:
                raise RuntimeError("a request was refused")
            settlements = [
                Settlement(message, 1, Outcome(OutcomeKind.ACCEPTED, CARRIER, (message.id.hex,)), 0.0)
                for message in messages
            ]
            await meter.step(size, "settle", outbox.settle(settlements))
            receipts = [receipt(message.id.hex, message.recipient) for message in messages]
            await meter.step(size, "store receipts", inbox.store(receipts))
            worked = await meter.step(size, "work receipts", inbox.work(size))
            if worked.matched < size:
                raise RuntimeError("a receipt did not find its message")


def _table(costs: dict[tuple[int, str], list[Cost]], sizes: Sequence[int]) -> str:
    lines = [
        f"| µs a message, client + PostgreSQL | {' | '.join(f'{size:,} at a time' for size in sizes)} |",
        f"| --- | {' | '.join(['---:'] * len(sizes))} |",
    ]
    totals = dict.fromkeys(sizes, Cost(0, 0))
    for step in STEPS:
        cells = []
        for size in sizes:
            # The first third warms up; of the rest the lower quartile, as what disturbs only ever adds.
            kept = costs[size, step][len(costs[size, step]) // 3 :]
            cost = Cost(quantiles([each.client for each in kept])[0], quantiles([each.server for each in kept])[0])
            totals[size] = Cost(totals[size].client + cost.client, totals[size].server + cost.server)
            cells.append(f"{cost.client:,.0f} + {cost.server:,.0f}")
        lines.append(f"| {step} | {' | '.join(cells)} |")
    lines.append(f"| all | {' | '.join(f'{cost.client:,.0f} + {cost.server:,.0f}' for cost in totals.values())} |")
    return "\n".join(lines)


async def _main(options: argparse.Namespace) -> int:
    home = Path(tempfile.mkdtemp(prefix="tukupay-bench-"))
    try:
        async with EmbeddedPostgres(home / "postgres") as server:
            await server.create_database("messaging")
            url = server.url("messaging")
            await asyncio.to_thread(migrate, url)
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                accounts = "SELECT 'account' || lpad(n::text, 4, '0') FROM generate_series(0, %s) n"
                await connection.execute(f"INSERT INTO account (id) {accounts}".encode(), (ACCOUNTS - 1,))
            async with create_pool(url, "benchmark", min_size=2, max_size=2, guards=GUARDS) as pool:
                await pool.wait()
                meter = Meter(server)
                await _measure(pool, meter, options.sizes, options.repeats)
        console.print(_table(meter.costs, options.sizes), highlight=False, markup=False)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _sizes(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[1, 24, 128], help="messages in a batch, as 1,24,128")
    parser.add_argument("--repeats", type=int, default=60, help="batches of each size")
    return parser


if __name__ == "__main__":
    sys.exit(uvloop.run(_main(_parser().parse_args())))
