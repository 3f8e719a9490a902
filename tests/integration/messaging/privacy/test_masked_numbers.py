"""Whoever may not read numbers gets none whole, in whatever answer; whoever may does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from service_kit.access.requirement import Access
from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.running_service import Running, message, service_on
from tests.system.known_callers import KnownCallers, Metadata
from tukupay.sms.messaging.v1 import (
    events_pb2,
    messaging_pb2,
    reports_pb2,
    reports_pb2_grpc,
    suppressions_pb2,
    suppressions_pb2_grpc,
)

MASKED = "+2547•••••678"
OPT_OUT: dict[str, Any] = {"phone_number": RECIPIENT, "sender_id": "OTHER", "reason": "asked", "created_by": "desk"}


async def test_no_answer_has_a_whole_number_without_the_scope_for_it(database_url: str, tmp_path: Path) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    desk = callers.add("desk", "sms:send", "sms:read", "reports:read", "suppressions:read", "suppressions:write")
    trusted = callers.add("trusted", "*")
    async with service_on(database_url, access=Access.REQUIRED, identities_file=callers.path) as running:
        masked = await answers(running, desk)
        whole = await answers(running, trusted)
    assert masked.keys() == whole.keys()
    for call, answer in masked.items():
        assert RECIPIENT not in answer, call
        assert RECIPIENT[4:] not in answer, call
        assert MASKED in answer, call
        assert RECIPIENT in whole[call], call


async def answers(running: Running, who: Metadata) -> dict[str, str]:
    """What a caller gets from every call that shows numbers, by its name."""
    suppressions = suppressions_pb2_grpc.SuppressionServiceStub(running.channel)
    reports = reports_pb2_grpc.ReportServiceStub(running.channel)
    sent = await eventual(running, who)
    outbox_id = sent.entry.outbox_id
    batch = running.sms.SendSmsBatch(messaging_pb2.SendSmsBatchRequest(items=[message()]), metadata=who)
    watch = running.events.WatchOutboxEntry(events_pb2.WatchOutboxEntryRequest(outbox_id=outbox_id), metadata=who)
    added = await suppressions.AddSuppression(suppressions_pb2.AddSuppressionRequest(**OPT_OUT), metadata=who)
    period = reports_pb2.ExportMessagesRequest(
        period_start=Timestamp(seconds=1_700_000_000),
        period_end=Timestamp(seconds=4_102_444_800),
        user_id="user123",
    )
    found: dict[str, Message] = {
        "SendSms": sent,
        "SendSmsBatch": await first(batch),
        "GetOutboxEntry": await running.sms.GetOutboxEntry(
            messaging_pb2.GetOutboxEntryRequest(outbox_id=outbox_id), metadata=who
        ),
        "ListOutboxEntries": await running.sms.ListOutboxEntries(
            messaging_pb2.ListOutboxEntriesRequest(user_id="user123"), metadata=who
        ),
        "WatchOutboxEntry": await first(watch),
        "AddSuppression": added,
        "ListSuppressions": await suppressions.ListSuppressions(
            suppressions_pb2.ListSuppressionsRequest(phone_number=RECIPIENT), metadata=who
        ),
        "CheckSuppression": await suppressions.CheckSuppression(
            suppressions_pb2.CheckSuppressionRequest(phone_number=RECIPIENT, sender_id="OTHER", user_id="user123"),
            metadata=who,
        ),
        "RemoveSuppression": await suppressions.RemoveSuppression(
            suppressions_pb2.RemoveSuppressionRequest(
                suppression_id=added.suppression.suppression_id, reason="again", ended_by="desk"
            ),
            metadata=who,
        ),
        "ExportMessages": await first(reports.ExportMessages(period, metadata=who)),
    }
    return {call: str(answer.SerializeToString().decode("utf-8", "replace")) for call, answer in found.items()}


async def eventual(running: Running, who: Metadata) -> Any:
    """An answer as soon as the service is ready."""
    while True:
        try:
            return await running.sms.SendSms(message(), metadata=who, wait_for_ready=True)
        except aio.AioRpcError as error:
            if error.code().name != "UNAVAILABLE":
                raise


async def first(stream: Any) -> Any:
    """The first answer of a stream, which is ended."""
    answer = await anext(aiter(stream))
    stream.cancel()
    return answer
