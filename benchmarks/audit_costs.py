"""An audit of very many messages: how long, how many questions to the price book, and how much memory.

Starts a PostgreSQL, a pricing service and a messaging service of its own, writes traffic and prices as they would be
on record, audits them over gRPC, and stops everything. Linux only: memory is read from /proc. Prints rows of a table
in Markdown. Exits with 1 when the audit does not find what was written.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import psycopg
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp

from benchmarks.processes import costs
from messaging_service.wiring.migrate import migrate as migrate_messaging
from pricing_service.adapters.migrate import migrate as migrate_pricing
from service_kit.embedded.bound_process import bound_command
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.grpc.channel import open_channel
from service_kit.settings import Address
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1 import reports_pb2_grpc

START, END = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)

DEFAULTS = """
INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, created_by, recorded_at, epoch)
SELECT 'cost_d_' || number, 'DirectCustomer', '', timestamptz '2026-05-25Z' + number * interval '7 days', 1,
       0.8 + number * 0.01, 'bench', timestamptz '2026-05-20Z' + number * interval '1 minute', number
FROM generate_series(1, 4) AS number
"""
# Recorded a day before they take effect, as is usual, six to an account.
OWN = """
INSERT INTO cost (cost_id, level, entity, effective_from, revision, price, reason, created_by, recorded_at, epoch)
SELECT 'cost_' || account || '_' || number, 'SpecificCustomer', 'acc' || account,
       timestamptz '2026-06-01Z' + number * interval '4 days', 1, 0.5 + number * 0.01, 'bench', 'bench',
       timestamptz '2026-05-31Z' + number * interval '4 days' + account * interval '1 millisecond',
       4 + (number - 1) * %(priced)s + account
FROM generate_series(1, %(priced)s) AS account, generate_series(1, 6) AS number
"""
COUNT = "UPDATE price_epoch SET epoch = (SELECT max(epoch) FROM cost), changed_at = (SELECT max(recorded_at) FROM cost)"

# Priced right, each a second after the newest change that was on record; one in a thousand is a cent too dear.
MESSAGES = """
INSERT INTO message (id, account_id, client_message_id, recipient, text, sender_id, priority, encoding, units,
                     price_cost_id, price_level, unit_price, total, state, billing, created_at, priced_at,
                     price_known_at)
SELECT uuidv7(), 'acc' || account, 'm' || number, '+254712345678', 'hello', 'BENCH', 'normal', 'gsm7', 1,
       'cost', 'specific_customer', price, price, 'accepted', 'charged', at + interval '3 milliseconds', at,
       at - interval '1 second'
FROM (
    SELECT number, account, at,
           CASE WHEN account <= %(priced)s AND days >= 4 THEN 0.5 + least(6, floor(days / 4)) * 0.01
                ELSE 0.8 + least(4, floor((days + 7) / 7)) * 0.01 END
           + CASE WHEN number %% 1000 = 0 THEN 0.01 ELSE 0 END AS price
    FROM (
        SELECT number, 1 + number::bigint * 7919 %% %(accounts)s AS account, number::float8 / %(messages)s * 30 AS days,
               timestamptz '2026-06-01Z' + make_interval(secs => number::float8 / %(messages)s * 2592000) AS at
        FROM generate_series(0, %(messages)s - 1) AS number
    ) AS numbered
) AS priced
"""


@dataclass(frozen=True)
class Scenario:
    """What is audited."""

    messages: int
    accounts: int
    priced: int
    """Accounts with prices of their own, six each within the period; the others have the default."""


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def service(module: str, **environment: str) -> Iterator[int]:
    """A service in a process of its own; its process id."""
    command = bound_command([sys.executable, "-m", module], death_signal=signal.SIGKILL)
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def fill(scenario: Scenario, pricing_url: str, messaging_url: str) -> None:
    """Writes prices and messages."""
    values = {"messages": scenario.messages, "accounts": scenario.accounts, "priced": scenario.priced}
    with psycopg.connect(pricing_url, autocommit=True, options="-c statement_timeout=0") as connection:
        connection.execute(DEFAULTS)
        connection.execute(OWN, values)
        connection.execute(COUNT)
        connection.execute("VACUUM ANALYZE cost")
    with psycopg.connect(messaging_url, autocommit=True, options="-c statement_timeout=0") as connection:
        accounts = "INSERT INTO account (id) SELECT 'acc' || number FROM generate_series(1, %s) AS number"
        connection.execute(accounts, (scenario.accounts,))
        connection.execute(MESSAGES, values)
        connection.execute("VACUUM ANALYZE message")


class Memory:
    """The most that each process took while it was watched."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self.before = costs(pids)
        self.most = dict(self.before.memory_mb)

    async def watch(self) -> None:
        """Looks until cancelled."""
        while True:
            for name, megabytes in costs(self._pids).memory_mb.items():
                self.most[name] = max(self.most[name], megabytes)
            await asyncio.sleep(0.5)


async def audit(messaging: Address) -> tuple[int, pb.AuditTotals]:
    """The exceptions that were listed, and the totals."""
    listed = 0
    totals = pb.AuditTotals()
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(START)
    end.FromDatetime(END)
    async with open_channel(messaging) as channel:
        stub = reports_pb2_grpc.ReportServiceStub(channel)
        call = stub.AuditCosts(pb.AuditCostsRequest(period_start=start, period_end=end), wait_for_ready=True)
        async for answer in call:
            listed += len(answer.exceptions)
            totals = answer.totals
    return listed, totals


async def measure(scenario: Scenario, messaging: Address, pids: dict[str, int]) -> bool:
    """Audits once and prints a row; whether the audit found what was written."""
    # Both services are up once they say so, which the call waits for; their first pages are no part of the time.
    await audit_of_nothing(messaging)
    memory = Memory(pids)
    watching = asyncio.create_task(memory.watch())
    begun = time.perf_counter()
    listed, totals = await audit(messaging)
    took = time.perf_counter() - begun
    watching.cancel()
    after = costs(pids)
    cpu = {name: after.cpu_s[name] - memory.before.cpu_s[name] for name in pids}
    sys.stdout.write(
        f"| {scenario.messages:,} | {scenario.accounts:,} | {scenario.priced:,} | {took:,.1f} "
        f"| {scenario.messages / took:,.0f} | {cpu['messaging']:,.1f} | {cpu['pricing']:,.1f} | {cpu['postgres']:,.1f} "
        f"| {memory.before.memory_mb['messaging']:,.0f} | {memory.most['messaging']:,.0f} "
        f"| {memory.most['pricing']:,.0f} |\n"
    )
    sys.stdout.flush()
    wrong = (scenario.messages + 999) // 1_000
    found = (totals.entries, totals.as_known_then, totals.as_known_now, listed, totals.approximate_entries)
    expected = (scenario.messages, scenario.messages - wrong, scenario.messages - wrong, wrong, 0)
    if found != expected:
        sys.stderr.write(f"the audit found {found}, and {expected} was written\n")
    return found == expected


async def audit_of_nothing(messaging: Address) -> None:
    """Returns when both services answer."""
    request = pb.AuditCostsRequest()
    request.period_start.FromDatetime(END)
    request.period_end.FromDatetime(END.replace(day=2))
    async with open_channel(messaging) as channel, asyncio.timeout(60):
        stub = reports_pb2_grpc.ReportServiceStub(channel)
        while True:
            with contextlib.suppress(Exception):
                async for _ in stub.AuditCosts(request, wait_for_ready=True):
                    return
            await asyncio.sleep(0.1)


def run(scenario: Scenario) -> bool:
    """One scenario on a system of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "data", fsync=False) as server,
        contextlib.ExitStack() as services,
    ):
        for name in ("pricing", "messaging"):
            server.ensure_database(name)
        migrate_pricing(server.url("pricing"))
        migrate_messaging(server.url("messaging"))
        fill(scenario, server.url("pricing"), server.url("messaging"))
        pricing, messaging = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
        pids = {"postgres": server.pid or 0}
        pids["pricing"] = services.enter_context(
            service(
                "pricing_service",
                PRICING_DATABASE_URL=server.url("pricing"),
                PRICING_GRPC_ADDRESS=f"127.0.0.1:{pricing.port}",
            )
        )
        pids["messaging"] = services.enter_context(
            service(
                "messaging_service",
                MESSAGING_DATABASE_URL=server.url("messaging"),
                MESSAGING_GRPC_ADDRESS=f"127.0.0.1:{messaging.port}",
                MESSAGING_PRICING_ADDRESS=f"127.0.0.1:{pricing.port}",
                SMPP_HOST="127.0.0.1",
                SMPP_PORT=str(free_port()),
                SMPP_SYSTEM_ID="bench",
                SMPP_PASSWORD="bench",
            )
        )
        return uvloop.run(measure(scenario, messaging, pids))


def main() -> int:
    """Runs the scenarios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--scenario",
        action="append",
        metavar="JSON",
        help='for instance \'{"messages": 300000, "accounts": 20000, "priced": 20000}\'; may be repeated',
    )
    chosen = parser.parse_args().scenario
    scenarios = [Scenario(**json.loads(each)) for each in chosen] if chosen else DEFAULT
    sys.stdout.write(
        "| messages | accounts | with own prices | s | messages/s | CPU s messaging | pricing | PostgreSQL "
        "| messaging MB before | at most | pricing MB at most |\n|" + " ---: |" * 11 + "\n"
    )
    failures = sum(not run(scenario) for scenario in scenarios)
    return 1 if failures else 0


DEFAULT = [
    Scenario(messages=300_000, accounts=20_000, priced=20_000),
    Scenario(messages=1_000_000, accounts=20_000, priced=2_000),
    Scenario(messages=1_000_000, accounts=20_000, priced=20_000),
    Scenario(messages=1_000_000, accounts=100_000, priced=10_000),
]

if __name__ == "__main__":
    sys.exit(main())
