"""Requests at fault: the field is named, and nothing is stored, charged or sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from service_kit import page_token
from service_kit.errors import Kind
from tests.integration.messaging.running_service import Running, message, refusal_of
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

TOO_LATE = Timestamp(seconds=253_402_300_800)


def ahead(days: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    return stamp


async def assert_untouched(service: Running, url: str) -> None:
    for table in ("message", "dispatch", "idempotency", "message_event", "account", "ledger_entry"):
        assert await rows(url, f"SELECT 1 FROM {table}") == [], table
    assert service.carrier.submissions == []
    await service.all_slots_back()


BAD_SENDS: list[tuple[dict[str, Any], set[str]]] = [
    ({"user_id": ""}, {"user_id"}),
    ({"user_id": "   "}, {"user_id"}),
    ({"user_id": "u" * 65}, {"user_id"}),
    ({"recipient_phone_number": ""}, {"recipient_phone_number"}),
    ({"recipient_phone_number": "0712345678"}, {"recipient_phone_number"}),
    ({"recipient_phone_number": "+254112"}, {"recipient_phone_number"}),
    ({"message": ""}, {"message"}),
    ({"message": "a" * 1_531}, {"message"}),
    ({"message": "a" * 1_000_000}, {"message"}),
    ({"message": "nul \x00"}, {"message"}),
    ({"sender_id": ""}, {"sender_id"}),
    ({"sender_id": "TWELVECHARSX"}, {"sender_id"}),
    ({"sender_id": "1234567890123456"}, {"sender_id"}),
    ({"message_name": ""}, {"message_name"}),
    ({"message_name": "n" * 101}, {"message_name"}),
    ({"message_id": ""}, {"message_id"}),
    ({"message_id": "m" * 129}, {"message_id"}),
    ({"scheduled_time": ahead(366)}, {"scheduled_time"}),
    ({"scheduled_time": TOO_LATE}, {"scheduled_time"}),
    ({"scheduled_time": Timestamp(nanos=-5)}, {"scheduled_time"}),
    ({"priority": 3}, {"priority"}),
    ({"tags": ["t"] * 21}, {"tags"}),
    ({"tags": ["fine", "t" * 51, ""]}, {"tags[1]", "tags[2]"}),
    ({"custom_data_json": "[]"}, {"custom_data_json"}),
    ({"custom_data_json": '{"a": "' + "x" * 4_100 + '"}'}, {"custom_data_json"}),
    ({"custom_data_json": '{"a": "\\u0000"}'}, {"custom_data_json"}),
    ({"custom_data_json": '{"a": 1e99999999999999999999}'}, {"custom_data_json"}),
    ({"custom_data_json": '{"a": "\\u0000", "a": 0e-20000}'}, {"custom_data_json"}),
    ({"custom_data_json": '{"a":' + "[" * 2_000 + "]" * 2_000 + "}"}, {"custom_data_json"}),
    ({"app_id": ""}, {"app_id"}),
    ({"outcome_wait": Duration(seconds=61)}, {"outcome_wait"}),
    ({"outcome_wait": Duration(seconds=-1)}, {"outcome_wait"}),
    ({"user_id": "", "message": "", "sender_id": "!", "tags": [""]}, {"user_id", "message", "sender_id", "tags[0]"}),
]


async def test_every_fault_of_a_send_is_named_and_nothing_is_stored(service: Running, database_url: str) -> None:
    for fields, at_fault in BAD_SENDS:
        error = await refusal_of(service.send(**fields))
        assert (error.kind, error.reason) == (Kind.INVALID, "INVALID_ARGUMENT"), fields
        assert {violation.field for violation in error.violations} == at_fault
        assert all(violation.reason and violation.description for violation in error.violations)
        assert len(error.message) < 2_000
    assert service.pricing.calls == 0
    await assert_untouched(service, database_url)


async def test_the_same_faults_in_a_batch_are_named_item_by_item(service: Running, database_url: str) -> None:
    answers = await service.batch([message(**fields) for fields, _ in BAD_SENDS])
    assert len(answers) == len(BAD_SENDS)
    for index, (_, at_fault) in enumerate(BAD_SENDS):
        error = answers[index].error
        assert (error.code, error.reason) == (3, "INVALID_ARGUMENT")
        assert {violation.field for violation in error.violations} == at_fault
    await assert_untouched(service, database_url)


async def test_every_fault_of_a_quote_is_named(service: Running) -> None:
    for fields, at_fault in (
        ({"user_id": "", "message": ""}, {"user_id", "message"}),
        ({"user_id": "u", "message": "m", "app_id": ""}, {"app_id"}),
        ({"user_id": "u", "message": "a" * 1_531}, {"message"}),
        ({"user_id": "u", "message": "m", "scheduled_time": TOO_LATE}, {"scheduled_time"}),
        ({"user_id": "u", "message": "m", "recipient_phone_number": "0712345678"}, {"recipient_phone_number"}),
        ({"user_id": "u", "message": "m", "recipient_phone_number": ""}, {"recipient_phone_number"}),
        ({"user_id": "u", "message": "m", "sender_id": "TOO-LONG-A-NAME"}, {"sender_id"}),
    ):
        error = await refusal_of(service.sms.QuoteSms(pb.QuoteSmsRequest(**fields)))
        assert error.kind is Kind.INVALID
        assert {violation.field for violation in error.violations} == at_fault


async def test_every_fault_of_a_list_is_named(service: Running) -> None:
    question = ("user123", None, None, None, None)
    for fields, at_fault in (
        ({"user_id": ""}, {"user_id"}),
        ({"user_id": "user123", "tag": ""}, {"tag"}),
        ({"user_id": "user123", "tag": "t" * 51}, {"tag"}),
        ({"user_id": "user123", "status": 9}, {"status"}),
        ({"user_id": "user123", "page_size": -1}, {"page_size"}),
        ({"user_id": "user123", "page_size": 501}, {"page_size"}),
        ({"user_id": "user123", "created_from": TOO_LATE}, {"created_from"}),
        ({"user_id": "user123", "created_before": TOO_LATE}, {"created_before"}),
        ({"user_id": "user123", "page_token": "é"}, {"page_token"}),
        ({"user_id": "user123", "page_token": "abc"}, {"page_token"}),
        ({"user_id": "user123", "page_token": page_token.encode(("x", "y"), question)}, {"page_token"}),
        (
            {"user_id": "user123", "page_token": page_token.encode(("2026-01-01T00:00:00Z", 7), question)},
            {"page_token"},
        ),
        ({"user_id": "", "tag": "", "status": 9, "page_size": 501}, {"user_id", "tag", "status", "page_size"}),
    ):
        error = await refusal_of(service.sms.ListOutboxEntries(pb.ListOutboxEntriesRequest(**fields)))
        assert error.kind is Kind.INVALID, fields
        assert {violation.field for violation in error.violations} == at_fault


@pytest.mark.parametrize("call", ["GetOutboxEntry", "ResendSms", "CancelSms"])
async def test_an_entry_that_does_not_exist_is_not_found_and_an_empty_id_is_a_fault(
    service: Running, call: str
) -> None:
    request = getattr(pb, f"{call}Request")
    for outbox_id in ("outbox_" + "0" * 32, "outbox456", "x" * 300, "a\nb", "outbox_" + "A" * 32):
        error = await refusal_of(getattr(service.sms, call)(request(outbox_id=outbox_id)))
        assert (error.kind, error.reason) == (Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND"), outbox_id
        assert len(error.message) < 200
        assert "\n" not in error.message
    error = await refusal_of(getattr(service.sms, call)(request()))
    assert [(v.field, v.reason) for v in error.violations] == [("outbox_id", "REQUIRED")]


async def test_a_wait_of_a_resend_out_of_range_is_a_fault(service: Running) -> None:
    wrong = pb.ResendSmsRequest(outbox_id="outbox_" + "0" * 32, outcome_wait=Duration(seconds=61))
    error = await refusal_of(service.sms.ResendSms(wrong))
    assert [violation.field for violation in error.violations] == ["outcome_wait"]


async def test_an_account_is_asked_for_by_its_id(service: Running) -> None:
    error = await refusal_of(service.money(""))
    assert [violation.field for violation in error.violations] == ["user_id"]
    error = await refusal_of(service.money("nobody"))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("count", [0, 1_001])
async def test_a_batch_has_one_to_a_thousand_items(service: Running, database_url: str, count: int) -> None:
    request = pb.SendSmsBatchRequest(items=[pb.SendSmsRequest()] * count)

    async def read() -> None:
        async for _ in service.sms.SendSmsBatch(request):
            raise AssertionError("an item was answered")

    error = await refusal_of(read())
    assert [(v.field, v.reason) for v in error.violations] == [("items", "BATCH_SIZE")]
    await assert_untouched(service, database_url)
