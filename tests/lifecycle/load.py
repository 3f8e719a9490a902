"""Sends at a steady rate through whatever gateways there are, and remembers what came of each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from tests.lifecycle.keep_alive_client import CutError, HttpAnswer, KeepAliveClient, NotConnectedError
from tests.system.rest import SEND, TEXT, sms

SENDS_PER_S: Final = 50
_DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one send."""

    began: float
    """On the monotonic clock, as `ended` is."""
    ended: float
    message_id: str
    gateway: str
    failure: str | None
    """None for an answer that promises something; else why there was none."""


@dataclass(slots=True)
class Phase:
    """The sends of some time."""

    name: str
    begun: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def failures(self) -> list[Outcome]:
        """Those without a promise."""
        return [outcome for outcome in self.outcomes if outcome.failure is not None]

    def __str__(self) -> str:
        times = sorted(outcome.ended - outcome.began for outcome in self.outcomes) or [0.0]
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        return (
            f"{self.name}: {len(self.outcomes)} sends, {len(self.failures)} failed; "
            f"median {times[len(times) // 2]:.3f} s, p99 {p99:.3f} s, worst {times[-1]:.3f} s"
        )


class Load:
    """A caller that never waits for an answer before the next send, and tries no send twice.

    A connection that was refused carried nothing: like a load balancer it then takes the next gateway.
    """

    def __init__(self, user: str, gateways: Callable[[], Sequence[str]], rate: float = SENDS_PER_S) -> None:
        self.user = user
        self.requests: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, str] = {}
        """The outbox id of every message that was answered as sent."""
        self.phases: list[Phase] = []
        self._gateways = gateways
        self._rate = rate
        self._numbers = count(1)
        self._over = threading.Event()
        self._phase = Phase("start")
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()))
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Collects what is begun while the body runs."""
        phase = self._phase = Phase(name)
        self.phases.append(phase)
        try:
            yield phase
        finally:
            self._phase = Phase("between")
            self.wait_answered(phase)

    def wait_answered(self, phase: Phase) -> None:
        """Returns when every send of a phase was answered."""
        end = time.monotonic() + _DEADLINE_S + 1
        while len(phase.outcomes) < phase.begun and time.monotonic() < end:
            self._over.wait(0.05)

    def run(self, seconds: float) -> None:
        """Lets it go on for so long."""
        self._over.wait(seconds)

    async def _send_all(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        client, begin = KeepAliveClient(), time.monotonic()
        try:
            for number in count(1):
                await asyncio.sleep(max(0.0, begin + number / self._rate - time.monotonic()))
                if self._over.is_set():
                    break
                task = asyncio.create_task(self._send_one(client, self._phase))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
            client.close()
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self._failure = error

    async def _send_one(self, client: KeepAliveClient, phase: Phase) -> None:
        number = next(self._numbers)
        message_id = f"{self.user}-{number}"
        body = sms(self.user, messageId=message_id, message=f"{TEXT} {message_id}")
        phase.begun += 1
        self.requests[message_id] = body
        began, gateway, failure = time.monotonic(), "", "no gateway takes a connection"
        for turn in range(20):
            there = self._gateways()
            if not there:
                await asyncio.sleep(0.1)
                continue
            gateway = there[(number + turn) % len(there)]
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    answer = await client.post(gateway, SEND, body)
            except NotConnectedError:
                await asyncio.sleep(0.05)
                continue
            except (CutError, TimeoutError) as error:
                failure = f"{type(error).__name__}: {error}"
                break
            failure = self._note(message_id, answer)
            break
        phase.outcomes.append(Outcome(began, time.monotonic(), message_id, gateway, failure or None))

    def _note(self, message_id: str, answer: HttpAnswer) -> str:
        """Why an answer promises nothing; empty when it does."""
        if answer.status not in {200, 202}:
            return f"{answer.status} {answer.json().get('reason')}"
        entry = answer.json()["outboxEntry"]
        if entry["status"] == "sent":
            self.sent[message_id] = entry["outboxId"]
            return ""
        return "" if entry["status"] == "pending" else f"{answer.status} {entry['status']}"
