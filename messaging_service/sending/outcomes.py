"""Callers waiting for what becomes of their messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import IN_PROGRESS
from service_kit.duties.duty import DutyLog
from service_kit.errors import ServiceError
from service_kit.request_id import for_nobody

POLL_S = 0.25
"""How often messages that another process may be sending are looked up while somebody waits for them."""
LAST_READ_S = 0.05
"""How long reading an entry may take once its caller has to be answered; then it is shown as it was recorded."""
MAX_LOOKED_UP = 500
"""Messages in one query. A process sends most of what it waits for itself: however many that are, looking for the
others stays a small part of the work."""


class Outcomes:
    """Hands the outcome of a message to those that wait for it in this process.

    Outcomes recorded here arrive at once. Another replica may claim a queued message, so those that wait
    are also looked up now and then, all with one query.
    """

    def __init__(self, look_up: Callable[[Sequence[UUID]], Awaitable[Sequence[Message]]], log: DutyLog) -> None:
        self._look_up = look_up
        self._log = log
        self._waiting: dict[UUID, list[asyncio.Future[Message]]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._looked_up = 0
        self._asked: dict[UUID, asyncio.Future[Message | None]] = {}
        self._reader: asyncio.Task[None] | None = None

    def expect(self, message_id: UUID) -> asyncio.Future[Message]:
        """A future of the message in the first state in which the dispatcher has nothing more to do by itself."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(message_id, []).append(future)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll(), name="outcomes", context=for_nobody())
        return future

    def arrived(self, message: Message) -> None:
        """Notifies those who wait; states in which the dispatcher still works on the message do not count."""
        if message.state in IN_PROGRESS:
            return
        for future in self._waiting.pop(message.id, ()):
            if not future.done():
                future.set_result(message)

    def forget(self, message_id: UUID, future: asyncio.Future[Message]) -> None:
        """Stops waiting."""
        future.cancel()
        waiting = self._waiting.get(message_id, [])
        if future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[message_id]

    async def settled(
        self, message: Message, outcome: asyncio.Future[Message], wait_s: float, answer_by: float | None
    ) -> Message:
        """The message when its outcome has come, or as it stands after `wait_s`, or at `answer_by` if that is sooner.

        `answer_by` is an instant on the loop's clock; None for a caller without a deadline. From then on nothing is
        waited for any more but a read that takes `LAST_READ_S` at most.
        """
        now = asyncio.get_running_loop().time()
        end = now + wait_s if answer_by is None else min(now + wait_s, answer_by)
        try:
            async with asyncio.timeout_at(end):
                return await outcome
        except TimeoutError:
            pass
        try:
            async with asyncio.timeout_at(None if answer_by is None else max(end, answer_by) + LAST_READ_S):
                return await self.latest(message)
        except TimeoutError:
            return message

    async def latest(self, message: Message) -> Message:
        """The message as it stands, or as it is given here when the database is away.

        A whole batch may run out of time at once: those that ask while a query runs share the next one, so that
        they never take connections from those who send.
        """
        future = self._asked.get(message.id)
        if future is None:
            future = self._asked[message.id] = asyncio.get_running_loop().create_future()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(
                self._read(), name="latest states", context=for_nobody()
            )
        return await asyncio.shield(future) or message

    async def _read(self) -> None:
        while self._asked:
            asked = {message_id: self._asked.pop(message_id) for message_id in list(self._asked)[:MAX_LOOKED_UP]}
            found: dict[UUID, Message] = {}
            try:
                found = {message.id: message for message in await self._look_up(list(asked))}
            except Exception as error:  # noqa: BLE001 - callers are answered with what is known
                self._failed(error)
            finally:
                for message_id, future in asked.items():
                    future.set_result(found.get(message_id))

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, ServiceError):
            self._log.upkeep_crashed("outcomes", error)

    async def _poll(self) -> None:
        before: set[UUID] = set()
        while self._waiting:
            await asyncio.sleep(POLL_S)
            # Most outcomes arrive well within one round; only those that waited through it are looked up.
            late = [message_id for message_id in self._waiting if message_id in before]
            before = set(self._waiting)
            if not late:
                continue
            start = self._looked_up % len(late)
            turn = [*late[start:], *late[:start]][:MAX_LOOKED_UP]
            self._looked_up += len(turn)
            try:
                found = await self._look_up(turn)
            except Exception as error:  # noqa: BLE001 - callers are bounded by their own wait
                self._failed(error)
                continue
            for message in found:
                self.arrived(message)
