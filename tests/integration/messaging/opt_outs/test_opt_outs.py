"""Opting out, over gRPC, with a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from messaging_service.opt_outs.domain.inbound import InboundMessage
from tests.contract.sms_examples import RECIPIENT
from tests.integration.messaging.running_service import Running, message, refusal_of, service_on
from tests.system.messaging_database import rows, until_found
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import suppressions_pb2 as spb
from tukupay.sms.messaging.v1 import suppressions_pb2_grpc

pytestmark = pytest.mark.timeout(60)


def the_list(service: Running) -> suppressions_pb2_grpc.SuppressionServiceAsyncStub:
    return suppressions_pb2_grpc.SuppressionServiceStub(service.channel)


def addition(**fields: Any) -> spb.AddSuppressionRequest:
    request: dict[str, Any] = {
        "phone_number": RECIPIENT,
        "sender_id": "TUKUPAY",
        "reason": "asked by telephone",
        "created_by": "amina",
    }
    return spb.AddSuppressionRequest(**(request | fields))


def tomorrow() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    return stamp


async def wrote(service: Running, text: str, *, is_opt_out: bool = False) -> None:
    await service.sinks[0].inbound([InboundMessage("smpp", RECIPIENT, "TUKUPAY", text, is_opt_out, datetime.now(UTC))])


async def until_suppressed(service: Running, wanted: bool) -> None:
    question = spb.CheckSuppressionRequest(phone_number=RECIPIENT, sender_id="TUKUPAY", user_id="user123")

    async def is_so() -> bool:
        return (await the_list(service).CheckSuppression(question)).suppressed is wanted

    await eventually(f"suppressed: {wanted}", is_so)


async def test_an_opted_out_recipient_is_refused_before_anything_is_stored(service: Running, database_url: str) -> None:
    added = await the_list(service).AddSuppression(addition())
    assert (added.created, added.cancelled_messages) == (True, 0)
    assert added.suppression.source == spb.SUPPRESSION_SOURCE_API
    error = await refusal_of(service.sms.SendSms(message()))
    assert (error.kind.name, error.reason) == ("FAILED_PRECONDITION", "RECIPIENT_OPTED_OUT")
    assert dict(error.metadata) == {"sender_id": "TUKUPAY", "account": "user123"}
    for table in ("message", "dispatch", "idempotency", "account", "message_event"):
        assert await rows(database_url, f"SELECT count(*) FROM {table}") == [(0,)]
    assert not service.carrier.submissions


async def test_one_item_of_a_batch_fails_alone(service: Running) -> None:
    await the_list(service).AddSuppression(addition())
    answers = await service.batch(
        [message(recipient_phone_number=f"+25471234568{digit}") for digit in range(5)] + [message()]
    )
    assert {index for index, answer in answers.items() if answer.HasField("error")} == {5}
    assert answers[5].error.reason == "RECIPIENT_OPTED_OUT"


async def test_adding_and_removing_are_idempotent_and_the_entry_is_kept(service: Running) -> None:
    first = await the_list(service).AddSuppression(addition(source=spb.SUPPRESSION_SOURCE_OPERATOR))
    again = await the_list(service).AddSuppression(
        addition(source=spb.SUPPRESSION_SOURCE_OPERATOR, reason="another", created_by="juma")
    )
    assert (again.created, again.suppression) == (False, first.suppression)
    removal = spb.RemoveSuppressionRequest(
        suppression_id=first.suppression.suppression_id, reason="came back", ended_by="juma"
    )
    ended = await the_list(service).RemoveSuppression(removal)
    assert (ended.suppression.ending.ended_by, ended.suppression.ending.reason) == ("juma", "came back")
    assert await the_list(service).RemoveSuppression(removal) == ended
    assert (await service.send()).entry.status == pb.SMS_STATUS_SENT
    assert not (await the_list(service).ListSuppressions(spb.ListSuppressionsRequest())).suppressions
    kept = await the_list(service).ListSuppressions(spb.ListSuppressionsRequest(include_ended=True))
    assert list(kept.suppressions) == [ended.suppression]


async def test_what_is_wrong_with_a_request_is_named_field_by_field(service: Running) -> None:
    wrong = addition(
        phone_number="0712",
        sender_id="much too long a name",
        user_id=" ",
        reason="",
        created_by="\n",
        source=spb.SUPPRESSION_SOURCE_CARRIER,
    )
    error = await refusal_of(the_list(service).AddSuppression(wrong))
    assert {violation.field for violation in error.violations} == {
        "phone_number",
        "sender_id",
        "user_id",
        "reason",
        "created_by",
        "source",
    }
    error = await refusal_of(the_list(service).CheckSuppression(spb.CheckSuppressionRequest(phone_number=RECIPIENT)))
    assert [violation.field for violation in error.violations] == ["sender_id", "user_id"]
    for suppression_id in ("suppression_" + "0" * 32, "nonsense"):
        removal = spb.RemoveSuppressionRequest(suppression_id=suppression_id, reason="gone", ended_by="juma")
        assert (await refusal_of(the_list(service).RemoveSuppression(removal))).reason == "SUPPRESSION_NOT_FOUND"
    listing = spb.ListSuppressionsRequest(page_size=501)
    assert (await refusal_of(the_list(service).ListSuppressions(listing))).violations[0].field == "page_size"


async def test_entries_come_by_pages_bound_to_their_filters(service: Running) -> None:
    for number in range(5):
        await the_list(service).AddSuppression(addition(user_id=f"user{number}"))
    seen, token = [], ""
    while True:
        request = spb.ListSuppressionsRequest(phone_number=RECIPIENT, page_size=2, page_token=token)
        page = await the_list(service).ListSuppressions(request)
        seen += [entry.user_id for entry in page.suppressions]
        if not (token := page.next_page_token):
            break
        other = spb.ListSuppressionsRequest(page_size=2, page_token=token)
        assert (await refusal_of(the_list(service).ListSuppressions(other))).violations[0].field == "page_token"
    assert seen == ["user4", "user3", "user2", "user1", "user0"]


async def test_stop_from_a_phone_cancels_what_waits_and_start_lets_it_send_again(
    service: Running, database_url: str
) -> None:
    waiting = (await service.send(scheduled_time=tomorrow())).entry
    await wrote(service, "Acha")
    await until_suppressed(service, True)
    async with asyncio.timeout(20):
        await until_found(database_url, "SELECT 1 FROM message WHERE state <> 'scheduled'")
    entry = await service.entry(waiting.outbox_id)
    assert (entry.delivery_state, entry.error_code) == (pb.DELIVERY_STATE_CANCELLED, "RECIPIENT_OPTED_OUT")
    assert await service.money() == (0, 0)
    assert (await refusal_of(service.sms.SendSms(message()))).reason == "RECIPIENT_OPTED_OUT"
    resend = pb.ResendSmsRequest(outbox_id=waiting.outbox_id)
    assert (await refusal_of(service.sms.ResendSms(resend))).reason == "CANCELLED"
    await wrote(service, "START")
    await until_suppressed(service, False)
    assert (await service.send()).entry.status == pb.SMS_STATUS_SENT
    # Texts are gone as soon as they were read.
    kept = await rows(database_url, "SELECT directive, text FROM inbound_message ORDER BY id")
    assert kept == [("opt_out", None), ("opt_in", None)]


async def test_the_words_and_the_exempt_tags_are_settings(database_url: str) -> None:
    choices: dict[str, Any] = {
        "opt_out_keywords": frozenset({"basta"}),
        "opt_out_exempt_tags": frozenset({"otp"}),
        "keyword_position": "first-word",
    }
    async with service_on(database_url, **choices) as service:
        await wrote(service, "Basta, asante")
        await until_suppressed(service, True)
        assert (await refusal_of(service.sms.SendSms(message()))).reason == "RECIPIENT_OPTED_OUT"
        assert (await service.send(tags=["otp"])).entry.status == pb.SMS_STATUS_SENT


async def test_what_a_phone_wrote_is_neither_logged_nor_kept_longer_than_set(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with service_on(database_url) as service:
        await wrote(service, "my secret is 4711\x00")
        async with asyncio.timeout(20):
            await until_found(database_url, "SELECT 1 FROM inbound_message WHERE directive = 'none'")
    async with service_on(database_url, inbound_retention_s=0.0), asyncio.timeout(20):
        await until_found(database_url, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM inbound_message)")
    printed = "".join(capfd.readouterr())
    assert "4711" not in printed
    assert RECIPIENT not in printed
