"""How late scheduled messages start, with a million others waiting for a far day.

Starts a system of its own (`tukupay-sms up` in a temporary home) and stops it. One message is scheduled for next
month and copied a million times within the database, spread over that month. Then messages are scheduled over gRPC
for instants of the next seconds, evenly spread; how late each started is the database's own record of its
submission against the time that was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))

import psycopg
import uvloop
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from benchmarks.own_system import own_system
from service_kit.grpc.channel import open_channel
from service_kit.settings import address
from tukupay.sms.messaging.v1 import messaging_pb2, messaging_pb2_grpc

BATCH = 500
LEAD_S = 10.0
"""Time to get all of them accepted before the first is due."""
_COPY = """
    DO $copy$
    DECLARE columns text; copied text;
    BEGIN
        SELECT string_agg(quote_ident(column_name), ', '), string_agg(
            CASE column_name
                WHEN 'id' THEN 'uuidv7()'
                WHEN 'client_message_id' THEN 'client_message_id || n'
                WHEN 'scheduled_at' THEN 'scheduled_at + n * interval ''2.6 seconds'''
                ELSE quote_ident(column_name)
            END, ', ')
        INTO columns, copied FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = 'message' AND is_generated = 'NEVER';
        EXECUTE format(
            'INSERT INTO message (%s) SELECT %s FROM message, generate_series(1, {rows}) AS n', columns, copied);
        SELECT string_agg(quote_ident(column_name), ', '), string_agg(
            CASE column_name
                WHEN 'message_id' THEN 'm.id'
                WHEN 'due_at' THEN 'm.scheduled_at'
                WHEN 'queued_at' THEN 'm.scheduled_at'
                ELSE 'd.' || quote_ident(column_name)
            END, ', ')
        INTO columns, copied FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = 'dispatch' AND is_generated = 'NEVER';
        EXECUTE format(
            'INSERT INTO dispatch (%s) SELECT %s FROM dispatch d, message m WHERE m.id <> d.message_id',
            columns, copied
        );
        UPDATE account SET held = (SELECT sum(total) FROM message);
    END
    $copy$
"""
_LATENESS = """
    SELECT extract(epoch FROM last_attempt_at - scheduled_at)::float8
    FROM message WHERE scheduled_at < now() AND last_attempt_at IS NOT NULL
"""


def _request(at: datetime, number: int) -> messaging_pb2.SendSmsRequest:
    scheduled = Timestamp()
    scheduled.FromDatetime(at)
    return messaging_pb2.SendSmsRequest(
        user_id="bench-customer",
        recipient_phone_number=f"+2547120{number % 100_000:05}",
        message="Your receipt is on its way.",
        sender_id="TUKUPAY",
        scheduled_time=scheduled,
        outcome_wait=Duration(),
    )


async def _schedule(stub: messaging_pb2_grpc.MessagingServiceAsyncStub, instants: Sequence[datetime]) -> None:
    for start in range(0, len(instants), BATCH):
        items = [_request(at, start + offset) for offset, at in enumerate(instants[start : start + BATCH])]
        async for answer in stub.SendSmsBatch(messaging_pb2.SendSmsBatchRequest(items=items)):
            failed = [result.error for result in answer.results if result.HasField("error")]
            if failed:
                raise RuntimeError(f"a message was not accepted: {failed[0]}")


async def _main(arguments: argparse.Namespace) -> None:
    async with own_system({}) as system, open_channel(address(system.messaging)) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        await _schedule(stub, [datetime.now(UTC) + timedelta(days=30)])
        begun = perf_counter()
        async with await psycopg.AsyncConnection.connect(
            system.database_url, autocommit=True, options="-c statement_timeout=0"
        ) as database:
            await database.execute(_COPY.format(rows=arguments.waiting).encode())
            await database.execute("ANALYZE message, dispatch")
            print(
                f"{arguments.waiting:,} messages wait for next month ({perf_counter() - begun:.0f} s to lay them down)"
            )
            first = datetime.now(UTC) + timedelta(seconds=LEAD_S)
            step = timedelta(seconds=1 / arguments.rate)
            instants = [first + step * number for number in range(int(arguments.seconds * arguments.rate))]
            await _schedule(stub, instants)
            if datetime.now(UTC) >= first:
                raise RuntimeError("the machine is too busy: the first was due before the last was accepted")
            late: list[float] = []
            deadline = perf_counter() + LEAD_S + arguments.seconds + 60
            while len(late) < len(instants) and perf_counter() < deadline:
                await asyncio.sleep(1)
                late = sorted(row[0] for row in await (await database.execute(_LATENESS)).fetchall())
    if len(late) < len(instants):
        raise RuntimeError(f"only {len(late)} of {len(instants)} started")
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    print("| waiting | scheduled | a second | p50 ms | p99 ms | max ms | early |\n" + "| ---: " * 7 + "|")
    print(
        f"| {arguments.waiting:,} | {len(late):,} | {arguments.rate:g} | {p50 * 1_000:.0f} | {p99 * 1_000:.0f} "
        f"| {late[-1] * 1_000:.0f} | {sum(each < 0 for each in late)} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000, help="messages that wait for next month")
    parser.add_argument("--rate", type=float, default=50, help="messages that fall due in a second")
    parser.add_argument("--seconds", type=float, default=30, help="for how long")
    uvloop.run(_main(parser.parse_args()))
