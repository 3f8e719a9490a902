"""Callers that go on while parts of the system die, and remember what they were told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from tests.system.carrier import SandboxPhones
from tests.system.databases import Database
from tests.system.rest import SEND, TEXT, Answer, Rest, sms

_PAUSE_S = 0.02
"""Between an answer that promises nothing and the next request of a caller."""


def post(rest: Rest, request: dict[str, Any]) -> Answer | None:
    """The answer to a send; None when the gateway gave none."""
    try:
        return rest.post(SEND, request)
    except httpx.TransportError:
        return None


@contextmanager
def sending(rest: Rest, *requests: dict[str, Any]) -> Iterator[list[Future[Answer | None]]]:
    """Sends requests side by side while the body does what it wants; at the end all are answered."""
    with ThreadPoolExecutor(len(requests)) as pool:
        yield [pool.submit(post, rest, request) for request in requests]


def is_sent(answer: Answer | None) -> bool:
    """Whether an answer promises that the carrier has the message."""
    return answer is not None and answer.status == 200 and answer.entry["status"] == "sent"


class Callers:
    """Some callers, each sending one message after another, every message with an id and a phone of its own.

    A caller that is not told what became of its message repeats it, with the same id, through each of the
    gateways in turn, for as long as `persistent` says.
    """

    def __init__(
        self,
        user: str,
        gateways: Sequence[Rest],
        *,
        callers: int = 12,
        persistent: bool = False,
        every_s: float = 0.0,
        pause_s: float = _PAUSE_S,
    ) -> None:
        """`every_s`: seconds between two messages of one caller, at least; `pause_s`: before it repeats one."""
        self.user = user
        self.requests: dict[str, dict[str, Any]] = {}
        """By message id, in the order of their first sending."""
        self.sent: dict[str, str] = {}
        """The outbox id of every message that was answered as sent."""
        self.refused = 0
        """How many answers were neither a promise nor an entry."""
        self._gateways = gateways
        self._persistent = persistent
        self._every_s = every_s
        self._pause_s = pause_s
        self._names = count(1)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def has_sent(self, more: int) -> Callable[[], bool]:
        """Whether so many more messages than now were answered as sent."""
        goal = len(self.sent) + more
        return lambda: len(self.sent) >= goal

    def repeat_open(self) -> list[str]:
        """Sends once more what was not answered as sent; the ids that still are not."""
        for message_id, request in self.requests.items():
            if message_id not in self.sent:
                self._note(message_id, post(self._gateways[-1], request))
        return [message_id for message_id in self.requests if message_id not in self.sent]

    def _call(self) -> None:
        try:
            while not self._over.is_set():
                next_at = time.monotonic() + self._every_s
                self._send_one()
                self._over.wait(max(0.0, next_at - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self._failure = error

    def _send_one(self) -> None:
        with self._lock:
            message_id = f"{self.user}-{next(self._names)}"
            request = sms(self.user, messageId=message_id, message=f"{TEXT} {message_id}")
            self.requests[message_id] = request
        for gateway in self._gateways if not self._persistent else [*self._gateways] * 20:
            if self._note(message_id, post(gateway, request)):
                return
            self._over.wait(self._pause_s)

    def _note(self, message_id: str, answer: Answer | None) -> bool:
        """Remembers an answer; whether it promises that the message was sent."""
        with self._lock:
            if is_sent(answer):
                assert answer is not None
                self.sent[message_id] = answer.entry["outboxId"]
                return True
            if answer is None or answer.status >= 400:
                self.refused += 1
            return False


class Promises(Protocol):
    """What callers sent, and what they were told."""

    user: str
    requests: dict[str, dict[str, Any]]
    sent: dict[str, str]


class Sender(Protocol):
    """A system that sends."""

    phones: SandboxPhones
    messaging_database: Database

    def check_money(self) -> None: ...


def check_every_promise(system: Sender, callers: Promises) -> None:
    """Fails when a message that was answered as sent is not at the carrier, or any is there twice."""
    taken: dict[str, int] = {}
    for part in system.phones.taken():
        taken[part["text"]] = taken.get(part["text"], 0) + 1
    times = {message_id: taken.get(request["message"], 0) for message_id, request in callers.requests.items()}
    assert {message_id: number for message_id, number in times.items() if number > 1} == {}, "sent twice"
    assert [message_id for message_id in callers.sent if times[message_id] != 1] == [], "promised and not sent"
    states = dict(
        system.messaging_database.rows(
            "SELECT client_message_id, state FROM message WHERE account_id = %s", callers.user
        )
    )
    kept = {message_id: states.get(message_id) for message_id in callers.sent}
    assert set(kept.values()) <= {"accepted", "delivered"}, kept
    unknown_to_us = [message_id for message_id, number in times.items() if number and message_id not in states]
    assert unknown_to_us == [], "sent without a record"
    system.check_money()
