"""Which accounts may send, and to which countries: what is refused stores nothing and costs nothing."""

from __future__ import annotations

import pytest

from messaging_service.accounts.domain.account import UnknownAccounts
from messaging_service.shared.numbering.destinations import parse_destinations
from service_kit.errors import Kind
from tests.contract.sms_examples import refused
from tests.integration.messaging.running_service import Running, message, refusal_of, service_on
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

ABROAD = ["+14155550123", "+8613800138000", "+881612345678", "+256712345678"]


async def assert_untouched(service: Running, url: str) -> None:
    for table in ("message", "dispatch", "idempotency", "message_event", "account", "ledger_entry"):
        assert await rows(url, f"SELECT 1 FROM {table}") == [], table
    assert service.carrier.submissions == []


async def test_messages_abroad_are_refused_before_anything_is_stored(service: Running, database_url: str) -> None:
    for number in ABROAD:
        error = await refusal_of(service.send(recipient_phone_number=number))
        assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "DESTINATION_NOT_ALLOWED")
        assert "SMS_DESTINATIONS" in error.message
        assert number not in error.message
    answers = await service.batch(message(recipient_phone_number=number) for number in ABROAD)
    assert {answer.error.reason for answer in answers.values()} == {"DESTINATION_NOT_ALLOWED"}
    quote = pb.QuoteSmsRequest(user_id="user123", message="Habari", recipient_phone_number=ABROAD[0])
    assert (await refusal_of(service.sms.QuoteSms(quote))).reason == "DESTINATION_NOT_ALLOWED"
    await assert_untouched(service, database_url)


async def test_the_operator_names_the_countries(database_url: str) -> None:
    allowed = parse_destinations("ke, UG,+881")
    async with service_on(database_url, destinations=allowed) as service:
        for number in ("+254712345678", "+256712345678", "+881612345678"):
            assert (await service.send(recipient_phone_number=number)).entry.status == pb.SMS_STATUS_SENT
        assert (await refusal_of(service.send(recipient_phone_number="+14155550123"))).reason == (
            "DESTINATION_NOT_ALLOWED"
        )


async def test_a_country_that_is_taken_off_the_list_gets_no_resend_and_repetitions_still_find_the_record(
    database_url: str,
) -> None:
    async with service_on(database_url, destinations=parse_destinations("UG")) as service:
        service.carrier.answer = lambda _: refused()
        entry = (await service.send(recipient_phone_number="+256712345678", message_id="m1")).entry
        assert entry.status == pb.SMS_STATUS_FAILED
    async with service_on(database_url) as service:
        not_again = await refusal_of(service.sms.ResendSms(pb.ResendSmsRequest(outbox_id=entry.outbox_id)))
        assert not_again.reason == "DESTINATION_NOT_ALLOWED"
        again = await service.send(recipient_phone_number="+256712345678", message_id="m1")
        assert (again.replayed, again.entry.outbox_id) == (True, entry.outbox_id)


async def test_where_unknown_accounts_are_refused_only_those_that_were_opened_send(database_url: str) -> None:
    async with service_on(database_url, unknown_accounts=UnknownAccounts.REFUSE) as service:
        error = await refusal_of(service.send(user_id="SHOP"))
        assert (error.kind, error.reason, error.metadata["account"]) == (Kind.NOT_FOUND, "ACCOUNT_NOT_FOUND", "SHOP")
        assert "open the account first" in error.message
        await assert_untouched(service, database_url)
        billing = accounts_pb2_grpc.AccountServiceStub(service.channel)
        await billing.OpenAccount(
            accounts_pb2.OpenAccountRequest(user_id="shop", mode=accounts_pb2.ACCOUNT_MODE_POSTPAID)
        )
        answers = await service.batch(message(user_id=user) for user in ("shop", "Shop", "shop"))
        assert [answers[index].error.reason for index in range(3)] == ["", "ACCOUNT_NOT_FOUND", ""]
        assert await rows(database_url, "SELECT id FROM account") == [("shop",)]


async def test_where_unknown_accounts_are_prepaid_they_send_once_they_are_topped_up(database_url: str) -> None:
    async with service_on(database_url, unknown_accounts=UnknownAccounts.PREPAID) as service:
        assert (await refusal_of(service.send(user_id="new"))).reason == "INSUFFICIENT_FUNDS"
        assert await rows(database_url, "SELECT id, mode, posted FROM account") == [("new", "prepaid", 0)]
        billing = accounts_pb2_grpc.AccountServiceStub(service.channel)
        await billing.TopUp(accounts_pb2.TopUpRequest(user_id="new", amount_micros=1_000_000, reference="QK1"))
        assert (await service.send(user_id="new")).entry.status == pb.SMS_STATUS_SENT


@pytest.mark.parametrize("user", ["shop ", " shop", "Jose\u0301", "a\tb"])
async def test_no_account_is_opened_paid_or_given_anything_under_a_name_that_looks_like_another(
    service: Running, database_url: str, user: str
) -> None:
    billing = accounts_pb2_grpc.AccountServiceStub(service.channel)
    calls = [
        service.send(user_id=user),
        service.sms.QuoteSms(pb.QuoteSmsRequest(user_id=user, message="Habari")),
        billing.OpenAccount(accounts_pb2.OpenAccountRequest(user_id=user, mode=accounts_pb2.ACCOUNT_MODE_POSTPAID)),
        billing.TopUp(accounts_pb2.TopUpRequest(user_id=user, amount_micros=1_000_000, reference="QK1")),
    ]
    for call in calls:
        error = await refusal_of(call)
        assert [(each.field, each.reason) for each in error.violations] == [("user_id", "INVALID_IDENTIFIER")]
    await assert_untouched(service, database_url)


async def test_an_account_from_before_the_rule_can_still_be_looked_up_and_closed(
    service: Running, database_url: str
) -> None:
    await rows(database_url, "INSERT INTO account (id) VALUES ('shop ')")
    billing = accounts_pb2_grpc.AccountServiceStub(service.channel)
    assert (await refusal_of(service.send(user_id="shop "))).reason == "INVALID_ARGUMENT"
    terms = accounts_pb2.UpdateAccountRequest(user_id="shop ", status=accounts_pb2.ACCOUNT_STATUS_CLOSED)
    assert (await billing.UpdateAccount(terms)).account.user_id == "shop "
