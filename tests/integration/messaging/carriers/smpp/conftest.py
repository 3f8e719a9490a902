"""A sandbox and a carrier bound to it, both in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import pytest

from messaging_service.carriers.carrier import CarrierSinks, Slot
from messaging_service.carriers.domain.submission import DeliveryReceipt, LateOutcome, Outcome, Submission
from messaging_service.carriers.smpp.binds.connection import Connection
from messaging_service.carriers.smpp.codec.pdu import RESPONSE, Command, Header, bare, with_body
from messaging_service.carriers.smpp.smpp_carrier import SmppCarrier
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.texts.segmentation import segment
from sandbox_carriers.smpp import SandboxCarrier, SandboxSettings
from service_kit.web.stop_accepting import stop_accepting
from tests.doubles.scripted_smsc import ScriptedSmsc

DEADLINE_S = 10.0
BINDS = (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER)


class Inbox:
    """A receipt sink that remembers, and fails for as long as it is told to."""

    def __init__(self) -> None:
        self.receipts: list[DeliveryReceipt] = []
        self.calls = 0
        self.failures_left = 0
        self.gate = asyncio.Event()
        """Calls wait here before they store."""
        self.gate.set()
        self.inbound: list[InboundMessage] = []
        self.late: list[LateOutcome] = []
        self._news = asyncio.Condition()

    @property
    def sinks(self) -> CarrierSinks:
        return CarrierSinks(self.store, self.store_inbound, self.store_late)

    async def store_inbound(self, messages: Sequence[InboundMessage]) -> None:
        await self._called()
        async with self._news:
            self._news.notify_all()
            self._fail_if_told()
            self.inbound.extend(messages)

    async def store_late(self, late: Sequence[LateOutcome]) -> None:
        async with self._news:
            self.late.extend(late)
            self._news.notify_all()

    async def store(self, receipts: Sequence[DeliveryReceipt]) -> None:
        await self._called()
        async with self._news:
            self._news.notify_all()
            self._fail_if_told()
            self.receipts.extend(receipts)

    async def _called(self) -> None:
        async with self._news:
            self.calls += 1
            self._news.notify_all()
        await self.gate.wait()

    def _fail_if_told(self) -> None:
        if self.failures_left:
            self.failures_left -= 1
            raise ConnectionError("the database is away")

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self._news:
            await self._news.wait_for(condition)


async def until(carrier: SmppCarrier, condition: Callable[[], bool]) -> None:
    """Returns as soon as the condition holds; it is looked at whenever the carrier's binds change."""
    changed = asyncio.Event()
    carrier.on_slot_free(changed.set)
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            changed.clear()
            await changed.wait()


class SilentSmsc(Connection):
    """Answers binds and unbinds and nothing else; a test writes what it wants the client to read."""

    def __init__(self, bound: Callable[[], None]) -> None:
        super().__init__()
        self._bound = bound
        self.role: Command | None = None
        self.answers_enquiries = False
        self.pdus: list[tuple[Header, bytes]] = []
        self._news = asyncio.Condition()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, header: Header, pdu: bytes) -> None:
        if header.command in BINDS:
            self.role = Command(header.command)
            self.send(with_body(RESPONSE | header.command, header.sequence, b"silent\0"))
            self._bound()
            return
        if header.command == Command.UNBIND or (header.command == Command.ENQUIRE_LINK and self.answers_enquiries):
            self.send(bare(RESPONSE | header.command, header.sequence))
        self.pdus.append((header, pdu))
        self._news_later()

    def _news_later(self) -> None:
        task = self._loop.create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def link_lost(self, reason: str) -> None:
        self.lost.set_result(None)
        self._news_later()

    async def receive(self, command: int) -> Header:
        """The header of the first PDU of this kind, when it comes; takes it and those before it away."""
        async with asyncio.timeout(DEADLINE_S), self._news:
            await self._news.wait_for(lambda: any(header.command == command for header, _ in self.pdus))
        while True:
            header, _ = self.pdus.pop(0)
            if header.command == command:
                return header

    def answered(self, command: int, sequence: int) -> bool:
        """Whether a PDU of this kind and number has come and was not taken away."""
        return any(header.command == command and header.sequence == sequence for header, _ in self.pdus)

    async def more(self) -> None:
        """Returns when another PDU has come, or the link is gone."""
        async with self._news:
            await self._news.wait()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


class SilentServer:
    """Where carriers find a SilentSmsc; `links` holds one for each connection, in order."""

    def __init__(self) -> None:
        self.links: list[SilentSmsc] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._binds: asyncio.Queue[None] = asyncio.Queue()

    def _link(self) -> SilentSmsc:
        self.links.append(SilentSmsc(lambda: self._binds.put_nowait(None)))
        return self.links[-1]

    async def next_bind(self) -> SilentSmsc:
        """The link of the next bind; each bind is waited for once."""
        async with asyncio.timeout(DEADLINE_S):
            await self._binds.get()
        return self.links[-1]

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._link, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        await stop_accepting(self._server)
        for link in self.links:
            link.abort("the test is over")
            await link.lost
        await self._server.wait_closed()


class Bound(Protocol):
    """Makes carriers that are up, and stops them after the test."""

    async def __call__(self, port: int | None = None, /, **changes: object) -> SmppCarrier: ...


class Reserve(Protocol):
    """Waits for a place in the carrier's window."""

    async def __call__(self, carrier: SmppCarrier) -> Slot: ...


class Send(Protocol):
    """Sends one message as soon as the carrier has a place for it."""

    async def __call__(
        self,
        carrier: SmppCarrier,
        recipient: str,
        text: str = "Hello",
        sender_id: str = "TUKUPAY",
        send_within_s: float | None = None,
    ) -> Outcome: ...


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxCarrier]:
    settings = replace(SandboxSettings().on_free_ports(), receipt_delay_s=0.01, receipt_retry_s=0.01, slow_answer_s=0.2)
    carrier = SandboxCarrier(settings, with_pages=False)
    await carrier.start()
    yield carrier
    await carrier.stop()


@pytest.fixture
async def silent_server() -> AsyncIterator[SilentServer]:
    server = SilentServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def scripted_smsc() -> Iterator[ScriptedSmsc]:
    with ScriptedSmsc() as smsc:
        yield smsc


@pytest.fixture
async def bound(sandbox: SandboxCarrier, inbox: Inbox) -> AsyncIterator[Bound]:
    carriers: list[SmppCarrier] = []

    async def make(port: int | None = None, /, **changes: object) -> SmppCarrier:
        settings = SmppSettings(
            "127.0.0.1",
            port or sandbox.smpp_port,
            "tukupay",
            "secret",
            response_timeout_s=DEADLINE_S,
            reconnect_min_s=0.01,
            reconnect_max_s=0.1,
        )
        carrier = SmppCarrier(replace(settings, **changes), inbox.sinks, name="test")  # type: ignore[arg-type]  # fields by name
        carriers.append(carrier)
        await carrier.start()
        assert await carrier.wait_until_up(DEADLINE_S)
        return carrier

    yield make
    for carrier in carriers:
        await carrier.stop(timeout_s=0.05)


@pytest.fixture
def reserve() -> Reserve:
    async def wait_for_slot(carrier: SmppCarrier) -> Slot:
        freed = asyncio.Event()
        carrier.on_slot_free(freed.set)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                slot = carrier.try_reserve()
                if slot is not None:
                    return slot
                freed.clear()
                await freed.wait()

    return wait_for_slot


@pytest.fixture
def send(reserve: Reserve) -> Send:
    async def send_one(
        carrier: SmppCarrier,
        recipient: str,
        text: str = "Hello",
        sender_id: str = "TUKUPAY",
        send_within_s: float | None = None,
    ) -> Outcome:
        slot = await reserve(carrier)
        async with asyncio.timeout(DEADLINE_S):
            return await carrier.submit(
                slot,
                Submission("outbox_1", sender_id, recipient, segment(text), epoch=1, send_within_s=send_within_s),
            )

    return send_one
