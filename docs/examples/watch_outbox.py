"""Watches an account over gRPC, loses the connection, and goes on without missing an event.

The bare install is all that it needs. Run it beside `make up`:
.venv/bin/python docs/examples/watch_outbox.py
"""

from __future__ import annotations

import asyncio
import os
import uuid

import grpc
from grpc import aio

from tukupay.sms.messaging.v1 import events_pb2, events_pb2_grpc, messaging_pb2, messaging_pb2_grpc

ADDRESS = os.environ.get("MESSAGING_GRPC_ADDRESS", "127.0.0.1:50052")
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)


async def send(messaging: messaging_pb2_grpc.MessagingServiceAsyncStub, text: str) -> None:
    """Sends an SMS and says so."""
    request = messaging_pb2.SendSmsRequest(
        user_id="user123",
        recipient_phone_number="+254712345678",
        message=text,
        sender_id="TUKUPAY",
        message_id=f"example-{uuid.uuid4().hex}",
    )
    entry = (await messaging.SendSms(request, timeout=10)).entry
    print("sent", entry.outbox_id)


class Watcher:
    """Works on every event, and keeps the cursor beside its work."""

    def __init__(self) -> None:
        self.cursor = ""
        self.seen: set[int] = set()
        self.begun = asyncio.Event()
        self.delivered = asyncio.Event()

    async def watch(self, events: events_pb2_grpc.EventServiceAsyncStub) -> None:
        """Watches until cancelled."""
        while True:
            request = events_pb2.WatchOutboxRequest(user_id="user123", cursor=self.cursor)
            try:
                async for response in events.WatchOutbox(request):
                    for event in response.events:
                        self.work_on(event)
                    # After the work, and best in one transaction with it: what was not worked on comes again.
                    self.cursor = response.cursor
                    self.begun.set()
            except aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    raise
                print("broken:", error.code().name)
                await asyncio.sleep(1)

    def work_on(self, event: events_pb2.OutboxEvent) -> None:
        """Takes each event once, as it may come more often."""
        if event.event_id in self.seen:
            return
        self.seen.add(event.event_id)
        states = messaging_pb2.DeliveryState
        before = states.Name(event.from_state).removeprefix("DELIVERY_STATE_").lower() if event.from_state else "new"
        after = states.Name(event.to_state).removeprefix("DELIVERY_STATE_").lower()
        print("   ", event.outbox_id, f"{before} -> {after}")
        if event.to_state == messaging_pb2.DELIVERY_STATE_DELIVERED:
            self.delivered.set()


async def main() -> None:
    """Watches one message, goes away while another is sent, and comes back for it."""
    watcher = Watcher()
    async with aio.insecure_channel(ADDRESS) as channel:
        messaging: messaging_pb2_grpc.MessagingServiceAsyncStub = messaging_pb2_grpc.MessagingServiceStub(channel)
        events: events_pb2_grpc.EventServiceAsyncStub = events_pb2_grpc.EventServiceStub(channel)

        watching = asyncio.create_task(watcher.watch(events))
        await watcher.begun.wait()
        await send(messaging, "Watched as it happens")
        await watcher.delivered.wait()

        watching.cancel()
        watcher.delivered.clear()
        print("away")
        await send(messaging, "Sent while nobody watched")
        print(f"back, with a cursor of {len(watcher.cursor)} characters")
        watching = asyncio.create_task(watcher.watch(events))
        await watcher.delivered.wait()
        watching.cancel()


if __name__ == "__main__":
    asyncio.run(main())
