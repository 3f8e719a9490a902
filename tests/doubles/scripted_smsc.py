"""An SMSC that does what a test tells it to, over plain TCP sockets.

It packs and reads PDUs with `struct` alone, so that a fault of the product's codec cannot hide in it. Everything runs
in threads of its own: it serves async tests, sync tests and services in other processes alike, and keeps its times
whatever the loop under test does. All methods are safe to call from any thread.

    with ScriptedSmsc() as smsc:                            # listens on 127.0.0.1, smsc.port
        smsc.on(SUBMIT_SM, Reply(status=0x58))              # from now on, on every link
        smsc.on(SUBMIT_SM, [Reply(0x58), Reply()], link=1)  # one after another, then the default again
        smsc.on(SUBMIT_SM, None)                            # never answered
        smsc.on(SUBMIT_SM, lambda got: Reply(delay_s=0.2) if got.submit.text == b"x" else Reply())
        ...
        link = await smsc.link(0)                           # the first connection, once it is bound
        got = await link.get(SUBMIT_SM)                     # the next one that came, with its time
        link.reply(got, Reply(message_id="I77"))            # an answer by hand, for what a rule held back
        sequence = link.deliver(source="254700000001", text=b"id:I77 stat:DELIVRD err:000", esm_class=0x04)
        assert (await link.answer_to(sequence)).status == 0

Without a rule binds, enquire_links and unbinds are answered with OK at once, and so are submits, with the ids "1",
"2" … over all links. `all_of(command)` lists what came on any link; `links` are in the order of connecting, from 0.
In sync tests use `wait_for` where async ones use `until`, and `link.received`.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, NamedTuple, Self

BIND_RECEIVER: Final = 0x01
BIND_TRANSMITTER: Final = 0x02
QUERY_SM: Final = 0x03
SUBMIT_SM: Final = 0x04
DELIVER_SM: Final = 0x05
UNBIND: Final = 0x06
BIND_TRANSCEIVER: Final = 0x09
ENQUIRE_LINK: Final = 0x15
DATA_SM: Final = 0x103
GENERIC_NACK: Final = 0x8000_0000
RESP: Final = 0x8000_0000
"""Add to a command for its answer."""
BINDS: Final = (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER)

WAIT_S: Final = 10.0
"""How long a test waits before it says what did not come."""

_HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")
_LONGEST_PDU = 1 << 20


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """Octets of one PDU."""
    return _HEADER.pack(_HEADER.size + len(body), command, status, sequence) + body


def tlvs(values: Mapping[int, bytes]) -> bytes:
    """Octets of optional parameters by tag."""
    return b"".join(_TLV.pack(tag, len(value)) + value for tag, value in values.items())


@dataclass(frozen=True, slots=True)
class Reply:
    """How a PDU is answered."""

    status: int = 0
    delay_s: float = 0.0
    """Later PDUs are read and answered in the meantime."""
    message_id: str | None = None
    """Of a submit_sm_resp; None for the next number. An error answer has no body unless an id is given."""
    command: int | None = None
    """None for the answer that belongs to the command, for instance GENERIC_NACK for another."""
    sequence: int | None = None
    """None for that of the PDU that is answered."""
    then_close: bool = False
    """Closes the link after the answer."""


class Submit(NamedTuple):
    """The fields of a submit_sm."""

    service_type: str
    source_ton: int
    source_npi: int
    source: str
    destination_ton: int
    destination_npi: int
    destination: str
    esm_class: int
    validity_period: str
    registered_delivery: int
    data_coding: int
    text: bytes
    """short_message, with its user data header if there is one."""
    tlvs: dict[int, bytes]


class BindFields(NamedTuple):
    """The fields of a bind."""

    system_id: str
    password: str
    system_type: str
    interface_version: int
    addr_ton: int
    addr_npi: int
    address_range: str


@dataclass(frozen=True, slots=True)
class Received:
    """One PDU that came."""

    at_s: float
    """By `time.monotonic()`."""
    command: int
    status: int
    sequence: int
    body: bytes

    @property
    def submit(self) -> Submit:
        """Of a submit_sm."""
        read = _Reader(self.body)
        service_type = read.text()
        source = (read.octet(), read.octet(), read.text())
        destination = (read.octet(), read.octet(), read.text())
        esm_class = read.octet()
        read.take(2)  # protocol_id and priority_flag
        read.text()  # schedule_delivery_time
        validity_period = read.text()
        registered_delivery = read.octet()
        read.octet()  # replace_if_present_flag
        data_coding = read.octet()
        read.octet()  # sm_default_msg_id
        text = read.take(read.octet())
        return Submit(
            service_type, *source, *destination, esm_class, validity_period, registered_delivery, data_coding, text,
            read.tlvs(),
        )  # fmt: skip

    @property
    def bind(self) -> BindFields:
        """Of a bind."""
        read = _Reader(self.body)
        return BindFields(
            read.text(), read.text(), read.text(), read.octet(), read.octet(), read.octet(), read.text()
        )  # fmt: skip


class _Reader:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, count: int) -> bytes:
        octets = self._octets[self._at : self._at + count]
        assert len(octets) == count, "a PDU of the client ends within a field"
        self._at += count
        return octets

    def octet(self) -> int:
        return self.take(1)[0]

    def text(self) -> str:
        end = self._octets.index(0, self._at)
        return self.take(end + 1 - self._at)[:-1].decode("latin-1")

    def tlvs(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while self._at < len(self._octets):
            tag, length = _TLV.unpack(self.take(_TLV.size))
            found[tag] = self.take(length)
        return found


Answer = Reply | None
Rule = Answer | Callable[[Received], Answer]
"""None leaves the PDU without an answer."""


@dataclass
class _Script:
    first: list[Rule] = field(default_factory=list)
    """Used up one after another."""
    always: list[Rule] = field(default_factory=list)
    """At most one; after `first`."""


class Link:
    """One connection of a client."""

    def __init__(self, smsc: ScriptedSmsc, number: int, connection: socket.socket) -> None:
        self._smsc = smsc
        self._socket = connection
        self._sequence = itertools.count(1_000_001)
        self._taken: dict[int, int] = {}
        self._write_lock = threading.Lock()
        self.number = number
        """From 0, in the order of connecting."""
        self.received: list[Received] = []
        """Everything that came, in order."""
        self.is_bound = False
        """Whether a bind was answered with OK."""
        self.closed_at_s: float | None = None
        """When either side had closed it, by `time.monotonic()`; None while it is open."""
        self.reads = threading.Event()
        """Cleared, nothing more is handled, and after one read nothing more is taken from the socket."""
        self.reads.set()

    def of(self, command: int) -> list[Received]:
        """What came of one command, in order."""
        return [got for got in self.received if got.command == command]

    # For async tests.

    async def get(self, command: int) -> Received:
        """The next PDU of this command that `get` has not given out, once it is there."""
        index = self._taken.get(command, 0)
        self._taken[command] = index + 1
        await self._smsc.until(lambda: len(self.of(command)) > index, f"PDU 0x{command:08X} number {index + 1}")
        return self.of(command)[index]

    async def answer_to(self, sequence: int) -> Received:
        """What the client answered to a PDU that was sent under this number."""
        await self._smsc.until(lambda: self._answers(sequence) != [], f"an answer to PDU {sequence}")
        return self._answers(sequence)[0]

    async def closed(self) -> None:
        """Returns when the link is closed, by either side."""
        await self._smsc.until(lambda: self.closed_at_s is not None, f"link {self.number} to be closed")

    def _answers(self, sequence: int) -> list[Received]:
        return [got for got in self.received if got.command & RESP and got.sequence == sequence]

    # What it can be made to do.

    def reply(self, got: Received, reply: Reply) -> None:
        """Answers a PDU; late or twice, too."""
        if reply.delay_s > 0:
            self._smsc.later(reply.delay_s, lambda: self._reply_now(got, reply))
        else:
            self._reply_now(got, reply)

    def request(self, command: int, body: bytes = b"", sequence: int | None = None) -> int:
        """Sends a PDU of the carrier's own, and gives its sequence number."""
        number = next(self._sequence) if sequence is None else sequence
        self.write(pdu(command, number, body))
        return number

    def unbind(self) -> int:
        """Asks the client to take leave; gives the sequence number."""
        return self.request(UNBIND)

    def deliver(
        self,
        *,
        source: str = "",
        destination: str = "",
        text: bytes = b"",
        esm_class: int = 0,
        data_coding: int = 0,
        source_ton: int = 0,
        source_npi: int = 0,
        destination_ton: int = 0,
        destination_npi: int = 0,
        parameters: Mapping[int, bytes] | None = None,
        sequence: int | None = None,
    ) -> int:
        """Sends a deliver_sm, fields of the specification's names, and gives its sequence number."""
        body = b"".join(
            (
                b"\x00",  # service_type
                bytes((source_ton, source_npi)) + source.encode("latin-1") + b"\x00",
                bytes((destination_ton, destination_npi)) + destination.encode("latin-1") + b"\x00",
                bytes((esm_class, 0, 0)),  # and protocol_id, priority_flag
                b"\x00\x00",  # schedule_delivery_time, validity_period
                bytes((0, 0, data_coding, 0)),  # after registered_delivery, replace_if_present_flag
                bytes((len(text),)) + text,
                tlvs(parameters or {}),
            )
        )
        return self.request(DELIVER_SM, body, sequence)

    def write(self, octets: bytes) -> None:
        """Sends octets as they are; silent when the link is gone."""
        with self._write_lock:
            try:
                self._socket.sendall(octets)
            except OSError:
                self._gone()

    def close(self) -> None:
        """Ends the connection."""
        with suppress(OSError):  # The client may have been faster.
            self._socket.shutdown(socket.SHUT_RDWR)
        self.reads.set()
        self._gone()

    # The thread that reads.

    def run(self) -> None:
        """Reads and answers until the link is closed."""
        buffer = b""
        with self._socket:
            while True:
                self.reads.wait()
                try:
                    octets = self._socket.recv(65_536)
                except OSError:
                    octets = b""
                self.reads.wait()
                if not octets:
                    self._gone()
                    return
                buffer += octets
                while len(buffer) >= _HEADER.size:
                    (length,) = struct.unpack_from(">I", buffer)
                    assert _HEADER.size <= length <= _LONGEST_PDU, "the client sent a PDU of an impossible length"
                    if len(buffer) < length:
                        break
                    self._take(buffer[:length])
                    buffer = buffer[length:]

    def _take(self, octets: bytes) -> None:
        _, command, status, sequence = _HEADER.unpack_from(octets)
        got = Received(time.monotonic(), command, status, sequence, octets[_HEADER.size :])
        with self._smsc.news:
            self.received.append(got)
            self._smsc.news.notify_all()
        if not command & RESP:
            answer = self._smsc.answer_for(self.number, got)
            if answer is not None:
                self.reply(got, answer)

    def _reply_now(self, got: Received, reply: Reply) -> None:
        command = got.command | RESP if reply.command is None else reply.command
        sequence = got.sequence if reply.sequence is None else reply.sequence
        body = b""
        if command == SUBMIT_SM | RESP:
            message_id = reply.message_id
            if message_id is None and not reply.status:
                message_id = self._smsc.next_message_id()
            body = b"" if message_id is None else message_id.encode("latin-1") + b"\x00"
        elif command & ~RESP in BINDS and not reply.status:
            body = b"SCRIPTED\x00"
        self.write(pdu(command, sequence, body, reply.status))
        if command & ~RESP in BINDS and not reply.status:
            with self._smsc.news:
                self.is_bound = True
                self._smsc.news.notify_all()
        if reply.then_close or command == UNBIND | RESP:
            self.close()

    def _gone(self) -> None:
        with self._smsc.news:
            if self.closed_at_s is None:
                self.closed_at_s = time.monotonic()
            self._smsc.news.notify_all()


class ScriptedSmsc:
    """Listens while it is entered, or between `start` and `stop`; a second start takes the same port."""

    def __init__(self, *, receive_buffer: int | None = None) -> None:
        """`receive_buffer`: octets that the system takes for a link that does not read; None for its default."""
        self.port = 0
        self.links: list[Link] = []
        """In the order of connecting, closed ones included."""
        self.news = threading.Condition(threading.RLock())
        """Notified of whatever comes or goes."""
        self._receive_buffer = receive_buffer
        self._rules: dict[tuple[int, int | None], _Script] = {}
        self._message_ids = itertools.count(1)
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._timers: list[threading.Timer] = []
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listens."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._stopping.clear()
        self._run(lambda: self._accept(listener))

    def stop(self) -> None:
        """Closes all links and the port; harmless a second time."""
        self._stopping.set()
        if self._listener is not None:
            # A connection wakes the thread that accepts; closing the socket alone does not.
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            self._listener = None
        for timer in self._timers:
            timer.cancel()
        for link in list(self.links):
            link.close()
        for thread in [*self._threads, *self._timers]:
            if thread.is_alive():
                thread.join(WAIT_S)
        self._threads.clear()
        self._timers.clear()

    def on(self, command: int, rule: Rule | list[Rule], *, link: int | None = None) -> None:
        """From now on answers this command by the rule; `link` by number, None for all.

        A list is used up first, one rule a PDU; what came before it goes on after it. A rule for one link goes before
        those for all.
        """
        with self.news:
            script = self._rules.setdefault((command, link), _Script())
            if isinstance(rule, list):
                script.first.extend(rule)
            else:
                script.first.clear()
                script.always = [rule]

    def all_of(self, command: int) -> list[Received]:
        """What came of one command on all links, in order of time."""
        with self.news:
            return sorted((got for link in self.links for got in link.of(command)), key=lambda got: got.at_s)

    async def link(self, number: int) -> Link:
        """A connection by its number, once it is bound."""
        await self.until(lambda: len(self.links) > number and self.links[number].is_bound, f"link {number} to be bound")
        return self.links[number]

    async def until(
        self, condition: Callable[[], bool], what: str = "it", timeout_s: float = WAIT_S, *, poll_s: float | None = None
    ) -> None:
        """`wait_for` for async tests. With `poll_s` the condition is looked at in the test's loop as often as that,
        for what the SMSC does not notice, such as the state of the client."""
        if poll_s is None:
            await asyncio.to_thread(self.wait_for, condition, what, timeout_s)
            return
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() >= deadline:
                raise TimeoutError(f"waited {timeout_s:g} s in vain for {what}")
            await asyncio.sleep(poll_s)

    def wait_for(self, condition: Callable[[], bool], what: str = "it", timeout_s: float = WAIT_S) -> None:
        """Returns as soon as it holds; it is looked at whenever something comes or goes at the SMSC."""
        with self.news:
            if not self.news.wait_for(condition, timeout_s):
                raise TimeoutError(f"waited {timeout_s:g} s in vain for {what}")

    # For the links.

    def answer_for(self, link: int, got: Received) -> Answer:
        """What the rules say of a PDU; None for silence."""
        rule = self._rule(link, got.command)
        return rule(got) if callable(rule) else rule

    def next_message_id(self) -> str:
        """The next number."""
        return str(next(self._message_ids))

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Calls after so many seconds, unless it is stopped before."""
        timer = threading.Timer(delay_s, call)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _rule(self, link: int, command: int) -> Rule:
        with self.news:
            for key in ((command, link), (command, None)):
                script = self._rules.get(key)
                if script is not None and script.first:
                    return script.first.pop(0)
                if script is not None and script.always:
                    return script.always[0]
        if command in (SUBMIT_SM, ENQUIRE_LINK, UNBIND, *BINDS):
            return Reply()
        return Reply(0x03, command=GENERIC_NACK)

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                connection, _ = listener.accept()
                if self._stopping.is_set():
                    connection.close()
                    return
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.news:
                    link = Link(self, len(self.links), connection)
                    self.links.append(link)
                    self.news.notify_all()
                self._run(link.run)

    def _run(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True, name="scripted-smsc")
        self._threads.append(thread)
        thread.start()


def texts(submits: Iterable[Received]) -> list[bytes]:
    """The texts of submits, for assertions."""
    return [got.submit.text for got in submits]
