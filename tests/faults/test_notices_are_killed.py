"""SIGKILL of messaging wherever it sends to webhooks and raises alerts, two processes at a time on one database.

Every event is posted at least once and none is lost, the order of each webhook is kept, and each crossing raises one
alert, whatever dies. `TUKUPAY_NOTICE_KILLS=300` makes it the long campaign, at points of its own choice and with kills
at any moment, which tells how it went with `-s`; `TUKUPAY_NOTICE_SEED` chooses others.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from messaging_service.carriers.domain.submission import Outcome, ReceiptState, Submission
from service_kit.embedded.bound_process import bound_command
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate
from tests.contract.sms_examples import accepted, refused
from tests.doubles.webhook_receiver import Received, Receiver, ThenClosed, answer, receiver
from tests.integration.messaging.conftest import receipt
from tests.integration.messaging.notices.webhooks_at_work import OPEN, SMS_EVENTS, made
from tests.integration.messaging.running_service import Running, service_on
from tests.system.messaging_database import empty_database
from tests.system.pgbouncer import service_urls
from tests.system.ports import free_port
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc, messaging_pb2, webhooks_pb2

KILLS = int(os.environ.get("TUKUPAY_NOTICE_KILLS", "0"))
SEED = int(os.environ.get("TUKUPAY_NOTICE_SEED", "20261130"))
pytestmark = pytest.mark.timeout(240 + 6 * KILLS)

CRASHING = [sys.executable, "-P", str(Path(__file__).with_name("crashing_notices.py"))]
OF_EVENTS = ("fanning_out", "fanned_out", "taken", "posting", "posted", "recording", "recorded")
OF_ALERTS = ("raising", "raised", "resolving", "resolved")
WHENEVER = "whenever"
"""A kill from outside, at any moment of a process's life."""
PROCESSES = 2 if not KILLS else 3
POOR = ("poor-1", "poor-2")
"""Accounts whose balances cross the threshold of 100 KES again and again."""
DEADLINE_S = 60.0
STEP_S = 0.05


def plan() -> list[list[str]]:
    """For each process the points at which it dies, one life after another."""
    if not KILLS:
        return [[f"{point}:1" for point in points] for points in (OF_EVENTS, OF_ALERTS)]
    random = Random(SEED)
    strikes = [
        f"{random.choice((*OF_EVENTS, *OF_ALERTS, WHENEVER))}:{random.choice((1, 1, 2, 3, 5))}" for _ in range(KILLS)
    ]
    return [strikes[number::PROCESSES] for number in range(PROCESSES)]


async def until(what: str, look: Callable[[], Awaitable[Any]], deadline_s: float = DEADLINE_S) -> Any:
    """The first result of `look` that counts as true."""
    end = time.monotonic() + deadline_s
    while not (seen := await look()):
        assert time.monotonic() < end, f"after {deadline_s:g} s still not: {what}"
        await asyncio.sleep(STEP_S)
    return seen


@dataclass
class Campaign:
    """What was done, and what came of it."""

    database: psycopg.AsyncConnection[Any]
    service: Running
    random: Random = field(default_factory=lambda: Random(SEED))
    expected: Counter[str] = field(default_factory=Counter)
    """Types of events that must be posted, by what the service answered."""
    crossings: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    taken: list[tuple[str, str]] = field(default_factory=list)
    """Path and event id of each post that was answered with 2xx, in order."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    events: dict[str, str] = field(default_factory=dict)
    """The type of each event id that came."""
    is_over: bool = False

    async def rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        return await (await self.database.execute(statement.encode(), parameters)).fetchall()

    def reply(self, one: Received) -> bytes:
        """The steady one takes everything; the moody one fails now and then, each event once at most."""
        key = one.path, one.headers["webhook-id"]
        self.events[key[1]] = one.event["type"]
        if one.path == "/moody" and key not in self.refused and self.random.random() < 0.08:
            self.refused.add(key)
            return self.random.choice((answer(500), ThenClosed(), ThenClosed(b"HTTP/1.1 200 OK\r\ncontent-le")))
        self.taken.append(key)
        return answer(204)

    async def send(self) -> None:
        """Sends messages one after another, of which some are refused and some delivered, until all is over."""
        for number in count(1):
            if self.is_over:
                return
            # Fewer than would make an alert of their own.
            is_refused = number % 10 == 0
            outcome = refused("INVALID_RECIPIENT") if is_refused else accepted()
            self.service.carrier.answer = self._answering(outcome)
            sent = await self.service.send(message_id=f"m{number}")
            assert sent.entry.status == (
                messaging_pb2.SMS_STATUS_FAILED if is_refused else messaging_pb2.SMS_STATUS_SENT
            )
            self.expected["sms.failed" if is_refused else "sms.sent"] += 1
            if number % 5 == 1:
                part = "SELECT carrier_message_id FROM message_part WHERE message_id = %s"
                ((carrier_id,),) = await self.rows(part, [sent.entry.outbox_id.removeprefix("outbox_")])
                await self.service.sinks[0].receipts([receipt(carrier_id, ReceiptState.DELIVERED)])
                self.expected["sms.delivered"] += 1
            # Messages are not sent faster than their events are posted.
            await until("some is taken", self.has_room)
            await asyncio.sleep(0.1)

    @staticmethod
    def _answering(outcome: Outcome) -> Callable[[Submission], Outcome]:
        return lambda _: outcome

    async def cross(self, account: str) -> None:
        """Lets a balance fall and rise, each time when the alert of the time before is resolved."""
        is_open = f"SELECT 1 FROM alert WHERE account_id = '{account}' AND resolved_at IS NULL"
        is_well = f"SELECT 1 WHERE NOT EXISTS ({is_open})"
        while not self.is_over:
            await self.adjust(account, -100)
            self.crossings[account] += 1
            await until(f"{account} is warned", lambda: self.rows(is_open))
            for kes in (8, -8):  # within the margin, and below the threshold again
                await self.adjust(account, kes)
            await self.adjust(account, 100)
            await until(f"the alert of {account} is resolved", lambda: self.rows(is_well))

    async def adjust(self, account: str, kes: int) -> None:
        books = accounts_pb2_grpc.AccountServiceStub(self.service.channel)
        await books.Adjust(
            accounts_pb2.AdjustRequest(
                user_id=account, amount_micros=kes * 1_000_000, reason="a campaign", booked_by="test"
            )
        )

    async def live(self, processes: Processes, strikes: list[str]) -> None:
        """One process after another, each up to the point at which it dies."""
        for strike in strikes:
            point, times = strike.split(":")
            await processes.begin("" if point == WHENEVER else strike)
            if point == WHENEVER:
                await asyncio.sleep(self.random.uniform(0.1, int(times)))
                processes.signal(signal.SIGKILL)
            async with asyncio.timeout(DEADLINE_S * int(times)):
                assert await processes.ended() == -signal.SIGKILL, strike
            self.killed[point] += 1

    async def has_room(self) -> bool:
        """Whether few deliveries wait."""
        ((waiting,),) = await self.rows("SELECT count(*) FROM webhook_delivery WHERE state = 'pending'")
        return bool(waiting < 100)

    async def all_taken(self) -> None:
        """Returns when everything that happened is recorded and taken; fails when nothing moves."""
        due = 2 * self.expected.total() + self.crossings.total()
        counted = "SELECT count(*), count(*) FILTER (WHERE state = 'delivered') FROM webhook_delivery"
        last, end = (-1, -1), 0.0
        while True:
            ((recorded, taken),) = await self.rows(counted)
            if (recorded, taken) == (due, due):
                return
            if (recorded, taken) != last:
                last, end = (recorded, taken), time.monotonic() + DEADLINE_S
            assert time.monotonic() < end, f"{due} deliveries are due, {recorded} are recorded and {taken} taken"
            await asyncio.sleep(STEP_S)

    async def check(self) -> None:
        """Every promise."""
        posted = set(self.taken)
        recorded = await self.rows(
            "SELECT e.url, d.event_id, d.event_type FROM webhook_delivery d JOIN webhook_endpoint e "
            "ON e.id = d.endpoint_id ORDER BY e.id, d.position",
        )
        order: dict[str, list[str]] = {}
        for url, event_id, _ in recorded:
            order.setdefault("/" + url.rpartition("/")[2], []).append(event_id)
        for path, events in order.items():
            seen = list(dict.fromkeys(event_id for where, event_id in self.taken if where == path))
            assert set(seen) == set(events), f"posted and not recorded, or recorded and not posted, at {path}"
            assert seen == events, f"the order of {path}"
        for path in ("/steady", "/moody"):
            counts = Counter(self.events[event_id] for where, event_id in posted if where == path)
            assert counts == self.expected, f"every event once at least at {path}, and no other"
        alerts = await self.rows("SELECT account_id, count(*), count(resolved_at) FROM alert GROUP BY 1")
        assert {account: (raised, resolved) for account, raised, resolved in alerts} == {
            account: (crossings, crossings) for account, crossings in self.crossings.items()
        }
        for account, crossings in self.crossings.items():
            warnings = [self.events[event_id] for path, event_id in posted if path == f"/{account}"]
            assert warnings == ["balance.low"] * crossings

    def report(self, began: float) -> str:
        """How it went, in a line."""
        killed = ", ".join(f"{point} {number}" for point, number in sorted(self.killed.items()))
        repeated = len(self.taken) - len(set(self.taken))
        return (
            f"seed {SEED}: {self.killed.total()} processes killed ({killed}) in {time.monotonic() - began:.0f} s; "
            f"{self.expected.total()} events of messages, {len(set(self.taken))} deliveries taken, {repeated} of them "
            f"more than once, {len(self.refused)} failed tries; {self.crossings.total()} crossings, as many alerts\n"
        )


class Processes:
    """The real service, one process after another; its carrier and its price book are away."""

    def __init__(self, breeder: asyncio.subprocess.Process) -> None:
        self._breeder = breeder
        self._pid = 0

    async def begin(self, fault: str) -> None:
        """The next one, which tells, posts and warns up to a point."""
        assert self._breeder.stdin is not None
        self._breeder.stdin.write(f"{fault}\n".encode())
        self._pid = await self._number()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the present one."""
        os.kill(self._pid, number)

    async def ended(self) -> int:
        """The exit code of the present one, when it has ended."""
        return await self._number()

    async def _number(self) -> int:
        assert self._breeder.stdout is not None
        return int(await self._breeder.stdout.readline())


@asynccontextmanager
async def processes_on(url: str, log_file: Path) -> AsyncIterator[Processes]:
    """None that is left outlives this."""
    settings = {
        "PATH": os.environ["PATH"],
        **service_urls("MESSAGING_DATABASE_URL", url),
        "MESSAGING_GRPC_ADDRESS": "127.0.0.1:0",
        "MESSAGING_PRICING_ADDRESS": f"127.0.0.1:{free_port()}",
        "SMPP_HOST": "127.0.0.1",
        "SMPP_PORT": str(free_port()),
        "SMPP_SYSTEM_ID": "tukupay",
        "SMPP_PASSWORD": "unused",
        "ALERT_EVERY_S": "0.05",
        "WEBHOOK_POLL_S": "0.05",
        "WEBHOOK_TIMEOUT_S": "5",
        "WEBHOOK_PAUSES_S": "1",
        "WEBHOOK_IN_ORDER_TRIES": "1000",
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with log_file.open("ab") as log:
        breeder = await asyncio.create_subprocess_exec(
            *bound_command(CRASHING, death_signal=signal.SIGKILL),
            env=settings,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Processes(breeder)
    finally:
        breeder.kill()
        await breeder.wait()


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate) -> str:
    return empty_database(postgres_server, database_template)


async def prepared(service: Running, system: Receiver) -> None:
    """Two webhooks for the events of messages, and one for the alerts of each account that gets poor."""
    await made(service, system.at("/steady"), events=SMS_EVENTS)
    await made(service, system.at("/moody"), events=SMS_EVENTS)
    books = accounts_pb2_grpc.AccountServiceStub(service.channel)
    for account in POOR:
        await made(service, system.at(f"/{account}"), user_id=account, events=[webhooks_pb2.WEBHOOK_EVENT_BALANCE_LOW])
        await books.OpenAccount(
            accounts_pb2.OpenAccountRequest(user_id=account, mode=accounts_pb2.ACCOUNT_MODE_PREPAID)
        )
        await books.TopUp(
            accounts_pb2.TopUpRequest(user_id=account, amount_micros=150_000_000, reference=account, booked_by="test")
        )


async def test_killed_anywhere_every_event_is_told_in_order_and_each_crossing_warns_once(
    database_url: str, tmp_path: Path
) -> None:
    # This process sends and keeps the books; fan-out, posting and warning are left to those that die.
    quiet: dict[str, Any] = {
        "webhook_poll_s": 60.0,
        "alert_every_s": 3_600.0,
        "pricing_timeout_s": 25.0,
        "pool_timeout_s": 25.0,
    }
    began = time.monotonic()
    async with (
        receiver() as system,
        service_on(database_url, **(OPEN | quiet)) as service,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database,
    ):
        campaign = Campaign(database, service)
        looked = "SELECT 1 FROM event_reader HAVING count(*) = 2"
        await until("this process has looked", lambda: campaign.rows(looked))
        system.reply = campaign.reply
        await prepared(service, system)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            strikes = plan()
            processes = [
                await stack.enter_async_context(processes_on(database_url, tmp_path / f"{number}.log"))
                for number in range(len(strikes))
            ]
            jobs = [tasks.create_task(job) for job in (campaign.send(), *map(campaign.cross, POOR))]
            lives = map(campaign.live, processes, strikes)
            await asyncio.gather(*map(tasks.create_task, lives))
            # One that lives does what is left.
            await processes[0].begin("")
            campaign.is_over = True
            await asyncio.gather(*jobs)
            await campaign.all_taken()
            processes[0].signal(signal.SIGTERM)
            assert await processes[0].ended() == 0
        await campaign.check()
        sys.stdout.write(campaign.report(began))
