"""Every call of the service, over real gRPC."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from messaging_service.carriers.domain.submission import Outcome, ReceiptState, Submission
from messaging_service.wiring.services import SERVICES
from service_kit.errors import Kind
from tests.contract.sms_examples import RECIPIENT, accepted, refused, unanswered
from tests.integration.messaging.conftest import receipt
from tests.integration.messaging.running_service import DEADLINE_S, Running, refusal_of, service_on
from tukupay.sms.messaging.v1 import accounts_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

UNIT = 600_000


def stamp(instant: datetime) -> Timestamp:
    result = Timestamp()
    result.FromDatetime(instant)
    return result


async def until(service: Running, outbox_id: str, state: pb.DeliveryState.ValueType) -> pb.OutboxEntry:
    """The entry once it is in a state."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            entry = await service.entry(outbox_id)
            if entry.delivery_state == state:
                return entry


async def test_a_message_is_sent_and_the_answer_tells_everything(service: Running) -> None:
    answer = await service.send(
        message="a" * 161,
        message_name="OTP Verification",
        message_id="msg123",
        priority=pb.PRIORITY_HIGH,
        tags=["notification", "OTP"],
        custom_data_json='{"purpose": "Account Verification"}',
        app_id="app7",
    )
    entry = answer.entry
    assert not answer.replayed
    assert entry.outbox_id.startswith("outbox_")
    assert (entry.user_id, entry.recipient_phone_number, entry.sender_id) == ("user123", RECIPIENT, "TUKUPAY")
    assert (entry.message_id, entry.message_name, entry.app_id) == ("msg123", "OTP Verification", "app7")
    assert (entry.sms_units_used, entry.unit_price_micros, entry.total_cost_micros) == (2, UNIT, 2 * UNIT)
    assert (entry.status, entry.delivery_state) == (pb.SMS_STATUS_SENT, pb.DELIVERY_STATE_ACCEPTED)
    assert (entry.billing_state, entry.encoding) == (pb.BILLING_STATE_CHARGED, pb.ENCODING_GSM7)
    assert (entry.priority, entry.carrier) == (pb.PRIORITY_HIGH, "smpp")
    assert (entry.price_cost_id, entry.price_level) == ("cost_1", pb.PRICE_LEVEL_SPECIFIC_CUSTOMER)
    assert list(entry.tags) == ["notification", "OTP"]
    assert entry.custom_data_json == '{"purpose": "Account Verification"}'
    assert entry.created_time.ToDatetime() <= entry.last_attempt_time.ToDatetime() <= entry.sent_time.ToDatetime()
    assert not entry.HasField("scheduled_time")
    assert (service.pricing.questions[0].customer_id, service.pricing.questions[0].app_id) == ("user123", "app7")
    assert await service.entry(entry.outbox_id) == entry
    assert await service.money() == (-2 * UNIT, 0)
    (submission,) = service.carrier.submissions
    assert "".join(submission.segmentation.segments) == "a" * 161


async def test_a_repetition_is_answered_from_the_record(service: Running) -> None:
    first = await service.send(message_id="msg123")
    again = await service.send(message_id="msg123")
    assert again.replayed
    assert again.entry == first.entry
    error = await refusal_of(service.send(message_id="msg123", message="Other."))
    assert (error.kind, error.reason) == (Kind.ALREADY_EXISTS, "MESSAGE_ID_REUSED")
    assert error.metadata == {"message_id": "msg123", "outbox_id": first.entry.outbox_id, "fields": "message"}
    assert [violation.field for violation in error.violations] == ["message"]
    assert len(service.carrier.submissions) == 1
    assert await service.money() == (-UNIT, 0)


async def test_what_the_carrier_refuses_is_explained_and_can_be_resent(service: Running) -> None:
    service.carrier.answer = lambda _: refused()
    entry = (await service.send()).entry
    assert (entry.status, entry.error_code) == (pb.SMS_STATUS_FAILED, "INVALID_RECIPIENT")
    assert entry.error_details.startswith("The carrier does not accept this phone number.")
    assert await service.money() == (0, 0)
    for count in (1, 2, 3):
        resent = (await service.sms.ResendSms(resend(entry))).entry
        assert (resent.status, resent.retry_count) == (pb.SMS_STATUS_FAILED, count)
    error = await refusal_of(service.sms.ResendSms(resend(entry)))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "RETRY_LIMIT_REACHED")
    assert error.metadata["outbox_id"] == entry.outbox_id


async def test_a_resend_that_gets_through_is_charged_once(service: Running) -> None:
    service.carrier.answer = lambda _: refused()
    entry = (await service.send()).entry
    service.carrier.answer = lambda _: accepted()
    resent = (await service.sms.ResendSms(resend(entry))).entry
    assert (resent.outbox_id, resent.status, resent.retry_count) == (entry.outbox_id, pb.SMS_STATUS_SENT, 1)
    assert not resent.HasField("error_code")
    assert resent.last_attempt_time.ToDatetime() > entry.last_attempt_time.ToDatetime()
    assert await service.money() == (-UNIT, 0)
    error = await refusal_of(service.sms.ResendSms(resend(entry)))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "NOT_FAILED")


def resend(entry: pb.OutboxEntry) -> pb.ResendSmsRequest:
    return pb.ResendSmsRequest(outbox_id=entry.outbox_id, outcome_wait=Duration(seconds=10))


async def test_the_wait_is_the_callers_and_the_message_goes_on(service: Running) -> None:
    release = asyncio.Event()

    async def slow(_: Submission) -> Outcome:
        await release.wait()
        return accepted()

    service.carrier.answer = slow
    entry = (await service.send(outcome_wait=Duration())).entry
    assert (entry.status, entry.delivery_state) == (pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_SUBMITTING)
    assert await service.money() == (0, UNIT)
    release.set()
    await until(service, entry.outbox_id, pb.DELIVERY_STATE_ACCEPTED)
    assert await service.money() == (-UNIT, 0)


async def test_a_scheduled_message_waits_and_can_be_cancelled(service: Running) -> None:
    time = datetime.now(UTC) + timedelta(days=30)
    entry = (await service.send(scheduled_time=stamp(time))).entry
    assert (entry.status, entry.delivery_state) == (pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_SCHEDULED)
    assert entry.scheduled_time.ToDatetime(tzinfo=UTC) == time
    assert service.pricing.questions[0].at == entry.scheduled_time
    assert await service.money() == (0, UNIT)
    cancelled = (await service.sms.CancelSms(pb.CancelSmsRequest(outbox_id=entry.outbox_id))).entry
    assert (cancelled.status, cancelled.delivery_state) == (pb.SMS_STATUS_FAILED, pb.DELIVERY_STATE_CANCELLED)
    assert await service.money() == (0, 0)
    error = await refusal_of(service.sms.CancelSms(pb.CancelSmsRequest(outbox_id=entry.outbox_id)))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "NOT_CANCELLABLE")
    assert service.carrier.submissions == []


async def test_a_message_is_sent_when_its_time_comes(service: Running) -> None:
    entry = (await service.send(scheduled_time=stamp(datetime.now(UTC) + timedelta(milliseconds=300)))).entry
    sent = await until(service, entry.outbox_id, pb.DELIVERY_STATE_ACCEPTED)
    assert sent.last_attempt_time.ToDatetime() >= sent.scheduled_time.ToDatetime()


async def test_a_past_schedule_is_due_now(service: Running) -> None:
    entry = (await service.send(scheduled_time=stamp(datetime(2024, 12, 20, 12, tzinfo=UTC)))).entry
    assert entry.status == pb.SMS_STATUS_SENT
    assert not service.pricing.questions[0].HasField("at")


async def test_a_quote_costs_nothing_and_leaves_no_trace(service: Running) -> None:
    text = "ж" * 71
    quote = await service.sms.QuoteSms(pb.QuoteSmsRequest(user_id="user123", message=text))
    assert (quote.encoding, len(quote.segments), "".join(quote.segments)) == (pb.ENCODING_UCS2, 2, text)
    assert (quote.unit_price_micros, quote.total_cost_micros, quote.price_cost_id) == (UNIT, 2 * UNIT, "cost_1")
    assert quote.price_level == pb.PRICE_LEVEL_SPECIFIC_CUSTOMER
    assert await service.entries() == []
    error = await refusal_of(service.money())
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "ACCOUNT_NOT_FOUND")


async def test_a_quote_advises_a_text_that_costs_less(service: Running) -> None:
    text = "It’s due. " + "a" * 61
    request = pb.QuoteSmsRequest(
        user_id="user123", message=text, recipient_phone_number=RECIPIENT, sender_id="TUKUPAY", app_id="app7"
    )
    advice = (await service.sms.QuoteSms(request)).gsm7_advice
    assert (advice.text, advice.units, advice.savings_micros) == (text.replace("’", "'"), 1, UNIT)
    [character] = advice.unicode_characters
    assert (character.code_point, character.name) == ("U+2019", "RIGHT SINGLE QUOTATION MARK")
    assert await service.entries() == []


async def test_an_account_shows_its_balance(service: Running) -> None:
    await service.send()
    account = (await service.accounts.GetAccount(accounts_pb2.GetAccountRequest(user_id="user123"))).account
    assert (account.mode, account.status) == (accounts_pb2.ACCOUNT_MODE_POSTPAID, accounts_pb2.ACCOUNT_STATUS_ACTIVE)
    assert (account.posted_micros, account.held_micros, account.credit_limit_micros) == (-UNIT, 0, 0)
    assert account.created_time.seconds > 0


async def test_entries_are_listed_by_pages_newest_first(service: Running) -> None:
    sent = [(await service.send(message_id=f"msg{n}", tags=["even"] if n % 2 == 0 else [])).entry for n in range(5)]
    request = pb.ListOutboxEntriesRequest(user_id="user123", page_size=2)
    pages = []
    while True:
        page = await service.sms.ListOutboxEntries(request)
        pages.append([entry.message_id for entry in page.entries])
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert pages == [["msg4", "msg3"], ["msg2", "msg1"], ["msg0"]]
    even = await service.sms.ListOutboxEntries(pb.ListOutboxEntriesRequest(user_id="user123", tag="even"))
    assert [entry.message_id for entry in even.entries] == ["msg4", "msg2", "msg0"]
    failed = pb.ListOutboxEntriesRequest(user_id="user123", status=pb.SMS_STATUS_FAILED)
    assert list((await service.sms.ListOutboxEntries(failed)).entries) == []
    between = pb.ListOutboxEntriesRequest(
        user_id="user123", created_from=sent[1].created_time, created_before=sent[3].created_time
    )
    assert [entry.message_id for entry in (await service.sms.ListOutboxEntries(between)).entries] == ["msg2", "msg1"]


async def test_a_page_token_belongs_to_its_filters(service: Running) -> None:
    for _ in range(2):
        await service.send()
    page = await service.sms.ListOutboxEntries(pb.ListOutboxEntriesRequest(user_id="user123", page_size=1))
    other = pb.ListOutboxEntriesRequest(user_id="user123", tag="x", page_token=page.next_page_token)
    error = await refusal_of(service.sms.ListOutboxEntries(other))
    assert [violation.field for violation in error.violations] == ["page_token"]


async def test_a_receipt_delivers_the_message(service: Running) -> None:
    service.carrier.answer = lambda _: accepted("A1")
    entry = (await service.send()).entry
    await service.sinks[0].receipts([receipt("a1")])
    delivered = await until(service, entry.outbox_id, pb.DELIVERY_STATE_DELIVERED)
    assert delivered.status == pb.SMS_STATUS_SENT
    assert delivered.delivered_time.seconds > 0


async def test_a_silent_carrier_leaves_the_message_pending_until_a_receipt_comes(service: Running) -> None:
    service.carrier.answer = lambda _: unanswered("A1")
    entry = (await service.send()).entry
    assert (entry.status, entry.delivery_state) == (pb.SMS_STATUS_PENDING, pb.DELIVERY_STATE_UNKNOWN)
    assert entry.error_code == "CARRIER_NO_ANSWER"
    await service.sinks[0].receipts([receipt("A1", ReceiptState.UNDELIVERABLE)])
    failed = await until(service, entry.outbox_id, pb.DELIVERY_STATE_UNDELIVERED)
    assert (failed.status, failed.error_code) == (pb.SMS_STATUS_FAILED, "NOT_DELIVERED")
    assert await service.money() == (-UNIT, 0)


async def test_more_messages_than_the_window_holds_all_get_through(database_url: str) -> None:
    most = 0

    async with service_on(database_url, window=3) as service:
        in_flight = 0

        async def slow(_: Submission) -> Outcome:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            await asyncio.sleep(0)
            in_flight -= 1
            return accepted()

        service.carrier.answer = slow
        answers = await asyncio.gather(*(service.send() for _ in range(40)))
        assert {answer.entry.status for answer in answers} == {pb.SMS_STATUS_SENT}
        assert await service.money() == (-40 * UNIT, 0)
    assert most <= 3


async def test_two_replicas_share_the_work_and_the_waiting(database_url: str) -> None:
    async with service_on(database_url, window=2) as one, service_on(database_url, window=10) as two:
        release = asyncio.Event()

        async def stuck(_: Submission) -> Outcome:
            await release.wait()
            return accepted()

        one.carrier.answer = stuck
        sending = asyncio.gather(*(one.send() for _ in range(8)))
        await two.carrier.submitted(6)
        release.set()
        answers = await sending
        assert {answer.entry.status for answer in answers} == {pb.SMS_STATUS_SENT}
        assert len(one.carrier.submissions) + len(two.carrier.submissions) == 8


async def test_leaving_drains_what_was_begun(database_url: str) -> None:
    release = asyncio.Event()

    async def slow(_: Submission) -> Outcome:
        await release.wait()
        return accepted()

    async with service_on(database_url) as service:
        service.carrier.answer = slow
        entry = (await service.send(outcome_wait=Duration())).entry
        asyncio.get_running_loop().call_later(0.05, release.set)
    async with service_on(database_url) as later:
        assert (await later.entry(entry.outbox_id)).status == pb.SMS_STATUS_SENT


async def test_every_service_reports_its_health(service: Running) -> None:
    stub = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", *SERVICES):
        async with asyncio.timeout(DEADLINE_S):
            async for report in stub.Watch(health_pb2.HealthCheckRequest(service=name)):
                if report.status == health_pb2.HealthCheckResponse.SERVING:
                    break


async def test_prices_of_one_moment_travel_in_few_calls(service: Running) -> None:
    await asyncio.gather(*(service.send(user_id=f"user{n % 4}") for n in range(60)))
    assert service.pricing.calls < 60
    assert len(service.pricing.questions) < 60
