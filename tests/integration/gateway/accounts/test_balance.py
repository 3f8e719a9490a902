"""Balances, payments and statements over REST."""

from __future__ import annotations

import pytest

from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.account_double import account, charge, payment
from tests.doubles.gateway_doubles import ENTRY_ID, at
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import accounts_pb2 as pb

BALANCE = "/api/sms/balance"
TOP_UPS = "/api/sms/balance/top-ups"
STATEMENT = "/api/sms/balance/statement"
PERIOD = {"from": "2024-12-01T00:00:00+03:00", "to": "2025-01-01T00:00:00+03:00"}
ACCOUNT = {
    "userId": "user123",
    "mode": "prepaid",
    "status": "active",
    "currency": "KES",
    "balance": 499.4,
    "held": 0.6,
    "creditLimit": 0.0,
    "available": 498.8,
    "limits": {
        "dailySpend": None,
        "messagesPerMinute": None,
        "messagesPerRecipientHour": None,
        "messagesPerRecipientWindow": None,
        "otpsPerRecipientWindow": None,
        "destinations": None,
        "pumping": None,
    },
    "spentToday": 0.0,
}
PAYMENT = {
    "entryId": 4711,
    "kind": "top_up",
    "amount": 500.0,
    "bookedAt": "2024-12-15T08:00:00Z",
    "outboxId": None,
    "attempt": None,
    "reference": "QK12ABC3DE",
    "reason": None,
    "bookedBy": "till",
}


async def test_a_balance_shows_what_is_held_and_what_can_be_spent(running: Running) -> None:
    response = await running.http.get(BALANCE, params={"userId": "user123"})
    assert (response.status_code, response.json()) == (200, ACCOUNT)


async def test_a_postpaid_account_has_no_bound_and_its_limits_are_shown(running: Running) -> None:
    shown = pb.Account(
        user_id="user123",
        mode=pb.ACCOUNT_MODE_POSTPAID,
        status=pb.ACCOUNT_STATUS_SUSPENDED,
        posted_micros=-1,
        currency="KES",
        limits=pb.AccountLimits(
            daily_spend_micros=1_500_000,
            messages_per_minute=7,
            messages_per_recipient_hour=2,
            messages_per_recipient_window=4,
            otps_per_recipient_window=3,
            destinations=pb.DestinationCountries(countries=["+881", "KE"]),
            pumping=pb.PUMPING_GUARD_BLOCK,
        ),
        spent_today_micros=600_000,
    )
    running.accounts.will_answer("GetAccount", pb.GetAccountResponse(account=shown))
    body = (await running.http.get(BALANCE, params={"userId": "user123"})).json()
    assert (body["mode"], body["status"], body["available"], body["balance"]) == ("postpaid", "suspended", None, -1e-6)
    assert body["limits"] == {
        "dailySpend": 1.5,
        "messagesPerMinute": 7,
        "messagesPerRecipientHour": 2,
        "messagesPerRecipientWindow": 4,
        "otpsPerRecipientWindow": 3,
        "destinations": ["+881", "KE"],
        "pumping": "block",
    }
    assert body["spentToday"] == 0.6


async def test_a_payment_is_booked_exactly_and_a_repetition_says_so(running: Running) -> None:
    body = b'{"userId":"user123","amount":500.000001,"reference":"QK12ABC3DE","bookedBy":"till 3"}'
    response = await running.http.post(TOP_UPS, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 201
    assert running.accounts.request == pb.TopUpRequest(
        user_id="user123", amount_micros=500_000_001, reference="QK12ABC3DE", booked_by="till 3"
    )
    assert b"500.000001" in response.content
    assert response.json()["account"] == ACCOUNT
    running.accounts.will_answer("TopUp", pb.TopUpResponse(entry=payment(), account=account(), replayed=True))
    again = await running.http.post(TOP_UPS, content=body, headers={"content-type": "application/json"})
    assert (again.status_code, again.headers["idempotent-replay"]) == (200, "true")
    assert again.json() == {"entry": PAYMENT, "account": ACCOUNT}


async def test_a_statement_shows_balances_totals_and_entries_with_a_link_to_more(running: Running) -> None:
    page = pb.ListLedgerEntriesResponse(entries=[payment(), charge()], next_page_token="more")
    running.accounts.will_answer("ListLedgerEntries", page)
    response = await running.http.get(STATEMENT, params={"userId": "user123", "limit": "2", **PERIOD})
    assert response.json() == {
        "userId": "user123",
        "currency": "KES",
        "openingBalance": 0.0,
        "closingBalance": 499.4,
        "totals": [
            {"kind": "charge", "entries": 1, "amount": -0.6},
            {"kind": "top_up", "entries": 1, "amount": 500.0},
        ],
        "entries": [
            PAYMENT,
            {
                "entryId": 4712,
                "kind": "charge",
                "amount": -0.6,
                "bookedAt": "2024-12-15T08:01:00Z",
                "outboxId": ENTRY_ID,
                "attempt": 2,
                "reference": None,
                "reason": None,
                "bookedBy": None,
            },
        ],
    }
    assert "pageToken=more" in response.headers["link"]
    totalled, listed = running.accounts.requests
    assert (listed.period_start, listed.page_size) == (at("2024-11-30T21:00:00Z"), 2)
    assert totalled.period_end == at("2024-12-31T21:00:00Z")


async def test_the_pages_of_a_statement_stop_where_its_balances_do(running: Running) -> None:
    running.accounts.will_answer("GetStatement", pb.GetStatementResponse(through_entry_id=4711))
    await running.http.get(STATEMENT, params={"userId": "user123", **PERIOD})
    totalled, listed = running.accounts.requests
    assert not totalled.HasField("through_entry_id")
    assert (listed.through_entry_id, listed.page_token) == (4711, "")
    running.accounts.will_answer("ListLedgerEntries", pb.ListLedgerEntriesResponse(through_entry_id=4712))
    await running.http.get(STATEMENT, params={"userId": "user123", "pageToken": "more", **PERIOD})
    listed, totalled = running.accounts.requests[2:]
    assert (listed.page_token, listed.HasField("through_entry_id")) == ("more", False)
    assert totalled.through_entry_id == 4712


async def test_a_month_of_nairobi_is_a_period(running: Running) -> None:
    response = await running.http.get(STATEMENT, params={"userId": "user123", "period": "2024-12"})
    assert response.status_code == 200
    _, listed = running.accounts.requests
    assert listed.period_start == at("2024-11-30T21:00:00Z")
    assert listed.period_end == at("2024-12-31T21:00:00Z")


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"period": "2024-13"}, {"period": "INVALID_VALUE"}),
        ({"period": "2024-1"}, {"period": "INVALID_VALUE"}),
        ({"period": "2024-12", "from": PERIOD["from"]}, {"from": "NOT_ALLOWED"}),
        ({"from": PERIOD["from"]}, {"to": "REQUIRED"}),
        ({}, {"from": "REQUIRED", "to": "REQUIRED"}),
    ],
)
async def test_a_period_is_two_instants_or_a_month(
    running: Running, asked: dict[str, str], fields: dict[str, str]
) -> None:
    response = await running.http.get(STATEMENT, params={"userId": "user123", **asked})
    assert response.status_code == 400
    assert {error["field"]: error["reason"] for error in response.json()["errors"]} == fields
    assert not running.accounts.requests


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ServiceError(Kind.NOT_FOUND, "ACCOUNT_NOT_FOUND", "no such account"), 404, "ACCOUNT_NOT_FOUND"),
        (ServiceError(Kind.ALREADY_EXISTS, "REFERENCE_REUSED", "another amount"), 409, "REFERENCE_REUSED"),
        (ServiceError(Kind.FAILED_PRECONDITION, "ACCOUNT_CLOSED", "closed"), 409, "ACCOUNT_CLOSED"),
        (invalid([Violation("amount_micros", "OUT_OF_RANGE", "is 0")]), 400, "INVALID_ARGUMENT"),
    ],
)
async def test_failures_of_a_payment_keep_their_reasons(
    running: Running, error: ServiceError, status: int, said: str
) -> None:
    running.accounts.will_answer("TopUp", error)
    response = await running.http.post(TOP_UPS, json={"userId": "user123", "amount": 0, "reference": "QK1"})
    assert (response.status_code, response.json()["reason"]) == (status, said)
    if status == 400:
        assert response.json()["errors"][0]["field"] == "amount"


async def test_requests_at_fault_name_every_field(running: Running) -> None:
    response = await running.http.get(STATEMENT, params={"userId": "user123", "from": "yesterday", "limit": "1001"})
    assert {error["field"] for error in response.json()["errors"]} == {"to"}
    response = await running.http.post(TOP_UPS, json={"userId": "user123", "amount": "500", "reference": "QK1"})
    assert response.json()["errors"][0]["reason"] == "WRONG_TYPE"
    assert not running.accounts.requests
