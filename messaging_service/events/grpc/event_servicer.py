"""EventService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from typing_extensions import override

from messaging_service.events.domain.event_cursor import EventFilter
from messaging_service.events.grpc import event_cursors
from messaging_service.events.grpc.event_cursors import AccountCursors
from messaging_service.events.grpc.outbox_events import from_event, list_outbox_events
from messaging_service.events.list_events import ListEvents
from messaging_service.events.watch_outbox import WatchOutbox
from messaging_service.sending.domain.validation import MAX_TAG
from messaging_service.sending.grpc.outbox_messages import from_message
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.states import STATUS_OF, State
from messaging_service.shared.grpc import wire
from messaging_service.shared.grpc.entry_ids import existing, no_entry
from service_kit.access.caller import caller
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import events_pb2 as pb
from tukupay.sms.messaging.v1 import events_pb2_grpc

DEFAULT_HEARTBEAT = timedelta(seconds=5)
SHORTEST_HEARTBEAT = timedelta(milliseconds=100)
LONGEST_HEARTBEAT = timedelta(seconds=60)

_STATE_OF = {value: state for state, value in wire.STATES.items()}


class EventServicer(events_pb2_grpc.EventServiceServicer):
    """Translates between the stubs and the use cases."""

    def __init__(self, list_events: ListEvents, watch: WatchOutbox, cursors: AccountCursors) -> None:
        self._list_events = list_events
        self._watch = watch
        self._cursors = cursors

    @override
    async def ListOutboxEvents(
        self, request: pb.ListOutboxEventsRequest, context: Context
    ) -> pb.ListOutboxEventsResponse:
        return await list_outbox_events(self._list_events, request)

    @override
    async def WatchOutbox(
        self, request: pb.WatchOutboxRequest, context: Context
    ) -> AsyncGenerator[pb.WatchOutboxResponse, None]:
        wanted = _to_filter(request)
        heartbeat_s = _heartbeat_s(request.heartbeat_interval if request.HasField("heartbeat_interval") else None)
        position = self._cursors.decode(request.cursor, wanted.account_id) if request.cursor else None
        async with aclosing(self._watch.account(wanted, position, heartbeat_s)) as watch:
            async for news in watch:
                yield pb.WatchOutboxResponse(
                    events=[from_event(event) for event in news.events],
                    cursor=self._cursors.encode(news.position, wanted.account_id),
                )

    @override
    async def WatchOutboxEntry(
        self, request: pb.WatchOutboxEntryRequest, context: Context
    ) -> AsyncGenerator[pb.WatchOutboxEntryResponse, None]:
        message_id = existing(request.outbox_id)
        heartbeat_s = _heartbeat_s(request.heartbeat_interval if request.HasField("heartbeat_interval") else None)
        last_id = event_cursors.decode_entry(request.cursor, message_id) if request.cursor else None
        exists, viewer = False, caller()
        async with aclosing(self._watch.entry(message_id, last_id, heartbeat_s, viewer.accounts, viewer.mode)) as watch:
            async for news in watch:
                exists = True
                yield pb.WatchOutboxEntryResponse(
                    entry=None if news.entry is None else from_message(news.entry, viewer),
                    events=[from_event(event) for event in news.events],
                    cursor=event_cursors.encode_entry(news.last_id, message_id),
                )
        if not exists:
            raise no_entry(request.outbox_id)


def _to_filter(request: pb.WatchOutboxRequest) -> EventFilter:
    violations: list[Violation] = []
    if problem := text_problem(request.user_id, MAX_IDENTIFIER):
        violations.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
    if request.HasField("tag") and (problem := text_problem(request.tag, MAX_TAG)):
        violations.append(Violation("tag", reasons.INVALID_TAG, problem))
    statuses, states = set(request.statuses), set(request.states)
    if no_statuses := statuses - set(wire.STATUSES.values()):
        problem = f"has the unknown value {min(no_statuses)}; use those of SmsStatus, or none for any"
        violations.append(Violation("statuses", reasons.UNKNOWN_STATUS, problem))
    if no_states := states - set(_STATE_OF):
        problem = f"has the unknown value {min(no_states)}; use those of DeliveryState, or none for any"
        violations.append(Violation("states", reasons.UNKNOWN_STATE, problem))
    if violations:
        raise invalid(violations)
    wanted = {
        state
        for value, state in _STATE_OF.items()
        if (not states or value in states) and (not statuses or wire.STATUSES[STATUS_OF[state]] in statuses)
    }
    if not wanted:
        problem = "have no state in common with statuses; leave one of the two out"
        raise invalid([Violation("states", reasons.NOTHING_WANTED, problem)])
    return EventFilter(
        account_id=request.user_id,
        states=frozenset() if wanted == set(State) else frozenset(wanted),
        tag=request.tag if request.HasField("tag") else None,
        caller=caller().mode,
    )


def _heartbeat_s(interval: Duration | None) -> float:
    if interval is None:
        return DEFAULT_HEARTBEAT.total_seconds()
    seconds = interval.seconds + interval.nanos / 1_000_000_000
    if not SHORTEST_HEARTBEAT.total_seconds() <= seconds <= LONGEST_HEARTBEAT.total_seconds():
        raise invalid([Violation("heartbeat_interval", reasons.OUT_OF_RANGE, "is not between 0.1 and 60 s")])
    return seconds
