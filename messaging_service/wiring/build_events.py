"""Builds the log of events, and the watches that it serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from prometheus_client import Gauge

from messaging_service.events.event_tail import EventTail, TailLimits
from messaging_service.events.grpc.event_cursors import AccountCursors
from messaging_service.events.grpc.event_servicer import EventServicer
from messaging_service.events.list_events import ListEvents
from messaging_service.events.postgres.event_rows import PostgresEntryEvents, PostgresEventLog
from messaging_service.events.watch_outbox import WatchOutbox
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import events_pb2_grpc

I = TypeVar("I")  # noqa: E741 - item
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class WiredEvents:
    """What events offer."""

    servicers: Servicers
    duties: Duties
    tail: EventTail
    """The reader of new events; `close` ends every watch, and their callers go on at another replica."""

    def noted(self, flush: Callable[[Sequence[I]], Awaitable[R]]) -> Callable[[Sequence[I]], Awaitable[R]]:
        """The same flush, whose events are looked for as soon as it is done."""

        async def flushed(batch: Sequence[I]) -> R:
            try:
                return await flush(batch)
            finally:
                self.tail.wake()

        return flushed


def build_events(process: Process) -> WiredEvents:
    """Puts events together; nothing runs yet. Single entries are looked at over the connections of senders."""
    settings, pools = process.settings.events, process.pools
    limits = TailLimits(settings.watch_poll_s, settings.max_watches, settings.watch_buffer)
    tail = EventTail(PostgresEventLog(pools.tail), limits, process.failures)
    entries = PostgresEntryEvents(pools.main, process.contents)
    gauge = Gauge("tukupay_outbox_watches", "Watches of entries and accounts that are open.", registry=process.registry)
    gauge.set_function(lambda: tail.watches)
    servicer = EventServicer(
        ListEvents(entries),
        WatchOutbox(tail, PostgresEventLog(pools.catch_up), entries),
        AccountCursors(process.seams.now, timedelta(seconds=settings.watch_resume_s)),
    )
    return WiredEvents(
        servicers=(partial(events_pb2_grpc.add_EventServiceServicer_to_server, servicer),),
        duties={"watching": tail.run},
        tail=tail,
    )
