"""Accounts' terms and their ledger, over gRPC and PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from messaging_service.carriers.domain.submission import Outcome, Submission
from service_kit import page_token
from service_kit.errors import Kind, ServiceError
from tests.contract.sms_examples import accepted, refused
from tests.integration.messaging.accounts.billing_calls import KES, POSTPAID, PREPAID, UNIT, Billing, instant
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2

pytestmark = pytest.mark.timeout(60)


async def test_a_prepaid_account_sends_until_its_money_is_used_up_and_no_further(
    service: Running, billing: Billing
) -> None:
    await billing.open()
    booked = await billing.top_up(2 * UNIT)
    assert (booked.entry.amount_micros, booked.account.available_micros) == (2 * UNIT, 2 * UNIT)
    outcomes = await asyncio.gather(*(service.send() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, messaging_pb2.SendSmsResponse) for each in outcomes) == 2
    error = await refusal_of(service.send())
    assert (error.reason, error.metadata["shortfall"]) == ("INSUFFICIENT_FUNDS", "0.6")
    terms = await billing.terms()
    assert (terms.available_micros, terms.held_micros) == (0, 0)
    assert len(await service.entries()) == 2
    assert not await billing.faults()


async def test_credit_lets_an_account_go_below_zero_by_so_much(service: Running, billing: Billing) -> None:
    await billing.open(credit_limit_micros=UNIT)
    await service.send()
    assert (await billing.terms()).posted_micros == -UNIT
    assert (await refusal_of(service.send())).reason == "INSUFFICIENT_FUNDS"


async def test_opening_an_account_again_with_the_same_terms_changes_nothing(billing: Billing) -> None:
    limits = pb.AccountLimits(daily_spend_micros=5 * KES, messages_per_minute=3)
    first = await billing.open(limits=limits, credit_limit_micros=KES)
    again = await billing.open(limits=limits, credit_limit_micros=KES)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.account.limits == limits
    assert again.account.currency == "KES"
    assert (await refusal_of(billing.open(limits=limits))).reason == "ACCOUNT_EXISTS"


async def test_accounts_are_listed_page_by_page_and_by_how_they_pay_and_stand(billing: Billing) -> None:
    for place in range(5):
        await billing.open(f"user{place}", mode=PREPAID if place % 2 else POSTPAID)
    await billing.top_up(KES, user="user1")
    await billing.change(user_id="user3", status=pb.ACCOUNT_STATUS_SUSPENDED)

    async def listed(**question: Any) -> list[str]:
        found, token = [], ""
        while True:
            request = pb.ListAccountsRequest(page_size=2, page_token=token, **question)
            page = await billing.stub.ListAccounts(request)
            assert len(page.accounts) <= 2
            found += [terms.user_id for terms in page.accounts]
            if not (token := page.next_page_token):
                return found

    assert await listed() == [f"user{place}" for place in range(5)]
    assert await listed(mode=PREPAID) == ["user1", "user3"]
    assert await listed(mode=PREPAID, status=pb.ACCOUNT_STATUS_ACTIVE) == ["user1"]
    page = await billing.stub.ListAccounts(pb.ListAccountsRequest(page_size=2))
    assert page.accounts[1] == await billing.terms("user1")
    for wrong in (
        pb.ListAccountsRequest(page_size=1_001),
        pb.ListAccountsRequest(mode=PREPAID, page_token=page.next_page_token),
        pb.ListAccountsRequest(page_token=page_token.encode((7,), ("", ""))),
    ):
        assert (await refusal_of(billing.stub.ListAccounts(wrong))).kind is Kind.INVALID


async def test_a_payment_is_booked_once_however_often_its_reference_comes(billing: Billing) -> None:
    await billing.open()
    answers = await asyncio.gather(*(billing.top_up(KES, "QK7") for _ in range(20)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert len({answer.entry.entry_id for answer in answers}) == 1
    assert (await billing.terms()).posted_micros == KES
    error = await refusal_of(billing.top_up(2 * KES, "QK7"))
    assert error.reason == "REFERENCE_REUSED"


async def test_corrections_name_who_and_why_and_are_booked_once(billing: Billing) -> None:
    await billing.open()
    entry = (await billing.adjust(KES)).entry
    assert (entry.kind, entry.reason, entry.booked_by) == (pb.LEDGER_ENTRY_KIND_ADJUSTMENT, "goodwill", "wanjiru")
    assert (await billing.adjust(-KES)).account.available_micros == 0
    first = await billing.adjust(5, reference="fix-1")
    assert (await billing.adjust(5, reference="fix-1")).entry == first.entry


async def test_a_payment_that_is_reversed_after_it_was_spent_is_booked_and_stops_the_account(
    service: Running, billing: Billing, database_url: str
) -> None:
    await billing.open()
    await billing.top_up(2 * UNIT)
    spent = (await service.send()).entry
    # On hold while the balance falls below the limit, and charged afterwards.
    going, answered = asyncio.Event(), asyncio.Event()

    async def later(_: Submission) -> Outcome:
        going.set()
        await answered.wait()
        return accepted()

    service.carrier.answer = later
    sending = asyncio.ensure_future(service.send())
    await going.wait()
    reversed_payment = await billing.adjust(-2 * UNIT, reason="M-PESA reversed it")
    assert (reversed_payment.account.available_micros, reversed_payment.replayed) == (-2 * UNIT, False)
    answered.set()
    assert (await sending).entry.billing_state == messaging_pb2.BILLING_STATE_CHARGED
    assert await service.money() == (-2 * UNIT, 0)
    for call in (service.send(), service.send(message="a" * 161)):
        assert (await refusal_of(call)).reason == "INSUFFICIENT_FUNDS"
    # Terms that have nothing to do with it are set, more credit is given, and less is not.
    await billing.change(status=pb.ACCOUNT_STATUS_SUSPENDED, credit_limit_micros=UNIT)
    await billing.change(status=pb.ACCOUNT_STATUS_ACTIVE)
    assert (await refusal_of(billing.change(credit_limit_micros=0))).reason == "INSUFFICIENT_FUNDS"
    assert await rows(database_url, "SELECT overdrawn FROM account") == [(Decimal("0.6"),)]
    # A payment that is less than what is owed is taken, and with the rest the account sends again.
    assert (await billing.top_up(UNIT // 2, "QK2")).account.available_micros == -UNIT // 2
    assert (await refusal_of(service.send())).reason == "INSUFFICIENT_FUNDS"
    await billing.refund(spent.outbox_id)
    await billing.top_up(UNIT // 2, "QK3")
    service.carrier.answer = lambda _: accepted()
    await service.send()
    assert await rows(database_url, "SELECT overdrawn FROM account") == [(Decimal(0),)]
    assert (await refusal_of(service.send())).reason == "INSUFFICIENT_FUNDS"
    assert not await billing.faults()


async def test_a_charge_is_paid_back_once(service: Running, billing: Billing) -> None:
    sent = (await service.send()).entry
    answers = await asyncio.gather(*(billing.refund(sent.outbox_id) for _ in range(5)))
    assert sum(not answer.replayed for answer in answers) == 1
    entry = answers[0].entry
    assert (entry.amount_micros, entry.outbox_id, entry.reason) == (UNIT, sent.outbox_id, "it never arrived")
    assert (await service.entry(sent.outbox_id)).billing_state == messaging_pb2.BILLING_STATE_REFUNDED
    assert await service.money() == (0, 0)
    assert not await billing.faults()


async def test_what_was_not_charged_cannot_be_paid_back(service: Running, billing: Billing) -> None:
    service.carrier.answer = lambda _: refused()
    failed = (await service.send()).entry
    assert (await refusal_of(billing.refund(failed.outbox_id))).reason == "NOT_CHARGED"
    unknown = "outbox_" + "0" * 32
    assert (await refusal_of(billing.refund(unknown))).reason == "OUTBOX_ENTRY_NOT_FOUND"


async def test_an_account_is_suspended_resumed_and_closed_for_good(service: Running, billing: Billing) -> None:
    await billing.open()
    await billing.top_up(10 * UNIT)
    await billing.change(status=pb.ACCOUNT_STATUS_SUSPENDED)
    assert (await refusal_of(service.send())).reason == "ACCOUNT_NOT_ACTIVE"
    await billing.change(status=pb.ACCOUNT_STATUS_ACTIVE)
    later = datetime.now(UTC) + timedelta(hours=1)
    scheduled = (await service.send(scheduled_time=instant(later), outcome_wait={"nanos": 1})).entry
    error = await refusal_of(billing.change(status=pb.ACCOUNT_STATUS_CLOSED))
    assert error.reason == "ACCOUNT_HAS_HOLDS"
    await service.sms.CancelSms(messaging_pb2.CancelSmsRequest(outbox_id=scheduled.outbox_id))
    error = await refusal_of(billing.change(status=pb.ACCOUNT_STATUS_CLOSED))
    assert (error.reason, error.metadata["balance"]) == ("ACCOUNT_HAS_BALANCE", "6")
    await billing.adjust(-10 * UNIT, reason="paid out")
    await billing.change(status=pb.ACCOUNT_STATUS_CLOSED)
    for call in (billing.top_up(KES, "late"), billing.change(status=pb.ACCOUNT_STATUS_ACTIVE)):
        assert (await refusal_of(call)).reason == "ACCOUNT_CLOSED"
    error = await refusal_of(service.send())
    assert (error.reason, error.metadata["status"]) == ("ACCOUNT_NOT_ACTIVE", "closed")


async def test_the_money_of_a_closed_account_can_still_be_put_right(service: Running, billing: Billing) -> None:
    sent = (await service.send()).entry
    error = await refusal_of(billing.change(status=pb.ACCOUNT_STATUS_CLOSED))
    assert (error.reason, error.metadata["balance"]) == ("ACCOUNT_HAS_BALANCE", "-0.6")
    await billing.top_up(UNIT)
    await billing.change(status=pb.ACCOUNT_STATUS_CLOSED)
    await billing.refund(sent.outbox_id)
    assert (await billing.adjust(-UNIT, reason="paid out")).account.posted_micros == 0
    assert not await billing.faults()


async def test_an_account_that_owes_cannot_become_prepaid(service: Running, billing: Billing) -> None:
    await service.send()
    error = await refusal_of(billing.change(mode=PREPAID))
    assert (error.reason, error.metadata["shortfall"]) == ("INSUFFICIENT_FUNDS", "0.6")
    await billing.top_up(UNIT)
    assert (await billing.change(mode=PREPAID)).mode == PREPAID


async def test_entries_of_one_instant_are_each_on_one_page_of_a_statement(
    service: Running, billing: Billing, database_url: str
) -> None:
    await billing.open()
    for place in range(7):
        await billing.top_up(KES, f"QK{place}")
    await rows(database_url, "UPDATE ledger_entry SET created_at = (SELECT min(created_at) FROM ledger_entry)")
    now, found, token = datetime.now(UTC), list[str](), ""
    period: dict[str, Any] = {
        "period_start": instant(now - timedelta(hours=1)),
        "period_end": instant(now + timedelta(hours=1)),
    }
    while True:
        request = pb.ListLedgerEntriesRequest(user_id="user123", page_size=2, page_token=token, **period)
        page = await billing.stub.ListLedgerEntries(request)
        found += [entry.reference for entry in page.entries]
        if not (token := page.next_page_token):
            break
    assert found == [f"QK{place}" for place in range(7)]


async def test_a_statement_goes_from_the_opening_to_the_closing_balance(
    service: Running, billing: Billing, database_url: str
) -> None:
    await billing.open()
    await billing.top_up(10 * KES, "old")
    await rows(database_url, "UPDATE ledger_entry SET created_at = created_at - interval '2 days'")
    await billing.top_up(5 * KES, "new")
    sent = (await service.send()).entry
    await service.send()
    await billing.refund(sent.outbox_id)
    now = datetime.now(UTC)
    period: dict[str, Any] = {
        "period_start": instant(now - timedelta(days=1)),
        "period_end": instant(now + timedelta(minutes=1)),
    }
    statement = await billing.stub.GetStatement(pb.GetStatementRequest(user_id="user123", **period))
    assert (statement.opening_micros, statement.closing_micros) == (10 * KES, 15 * KES - UNIT)
    assert {(total.kind, total.entries, total.amount_micros) for total in statement.totals} == {
        (pb.LEDGER_ENTRY_KIND_TOP_UP, 1, 5 * KES),
        (pb.LEDGER_ENTRY_KIND_CHARGE, 2, -2 * UNIT),
        (pb.LEDGER_ENTRY_KIND_REFUND, 1, UNIT),
    }
    entries: list[pb.LedgerEntry] = []
    token = ""
    while True:
        request = pb.ListLedgerEntriesRequest(user_id="user123", page_size=3, page_token=token, **period)
        page = await billing.stub.ListLedgerEntries(request)
        entries += page.entries
        if not (token := page.next_page_token):
            break
    assert [entry.amount_micros for entry in entries] == [5 * KES, -UNIT, -UNIT, UNIT]
    assert sum(entry.amount_micros for entry in entries) == statement.closing_micros - statement.opening_micros
    question = (
        "user123",
        period["period_start"].ToDatetime(tzinfo=UTC).isoformat(),
        period["period_end"].ToDatetime(tzinfo=UTC).isoformat(),
    )
    made_up: list[tuple[str | int, ...]] = [
        ("yesterday", 1, 9),
        ("2020-01-01T00:00:00+00:00", 1, 9),
        (now.isoformat(), 0, 9),
        (now.isoformat(), "1", 9),
        (now.isoformat(), 2, 1),
        (now.isoformat(), 1, "9"),
        (now.isoformat(), 1),
    ]
    for position in made_up:
        request.page_token = page_token.encode(position, question)
        error = await refusal_of(billing.stub.ListLedgerEntries(request))
        assert [violation.field for violation in error.violations] == ["page_token"]


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("UPDATE account SET posted = posted + 0.000001", "POSTED_IS_SUM_OF_ENTRIES"),
        ("UPDATE account SET held = held + 1", "HELD_IS_SUM_OF_HOLDS"),
        ("UPDATE message SET billing = 'refunded'", "CHARGED_ONCE_IF_ACCEPTED"),
        ("DELETE FROM ledger_entry WHERE kind = 'charge'", "CHARGED_ONCE_IF_ACCEPTED"),
        ("UPDATE ledger_entry SET amount = amount - 1 WHERE kind = 'charge'", "CHARGE_IS_THE_TOTAL"),
        (
            "INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt) "
            "SELECT account_id, 'charge', -total, id, 7 FROM message",
            "EARLIER_ATTEMPTS_CHARGED_IF_ACCEPTED",
        ),
        (
            "INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt) "
            "SELECT id, 'refund', 1, gen_random_uuid(), 1 FROM account",
            "EARLIER_ATTEMPTS_CHARGED_IF_ACCEPTED",
        ),
    ],
)
async def test_books_that_do_not_add_up_are_found(
    service: Running, billing: Billing, database_url: str, damage: str, rule: str
) -> None:
    await service.send()
    assert not await billing.faults()
    await rows(database_url, damage)
    assert rule in await billing.faults()


async def test_faults_of_a_request_are_all_named(billing: Billing) -> None:
    async def fields(call: Any) -> list[str]:
        error: ServiceError = await refusal_of(call)
        return [violation.field for violation in error.violations]

    limits = pb.AccountLimits(daily_spend_micros=0, messages_per_minute=-1)
    assert await fields(billing.open(user="", mode=0, credit_limit_micros=-1, limits=limits)) == [
        "user_id",
        "mode",
        "credit_limit_micros",
        "limits.daily_spend_micros",
        "limits.messages_per_minute",
    ]
    assert await fields(billing.top_up(0, "")) == ["amount_micros", "reference"]
    assert await fields(billing.adjust(10**16, reason="", booked_by="")) == ["amount_micros", "reason", "booked_by"]
    assert (await refusal_of(billing.top_up(1, user="nobody"))).reason == "ACCOUNT_NOT_FOUND"
