"""Prices resolved, explained, guarded, repeated and withdrawn, over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from service_kit.errors import Kind, ServiceError, Violation
from tests.doubles.gateway_doubles import at, row
from tests.integration.gateway.conftest import Running, running_gateway
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

COSTS = "/api/sms-costs"
RESOLVE = f"{COSTS}/resolve"
WITHDRAW = f"{COSTS}/cost_7/withdraw"
COST = {
    "level": "DirectCustomer",
    "pricePerSms": 0.8,
    "effectiveFrom": "2024-12-13T00:00:00Z",
    "createdBy": "admin123",
}
WITHDRAWAL = {"withdrawnBy": "finance_2", "reason": "A slip"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway() -> AsyncIterator[Running]:
    """One gateway for all tests here, none of which stops a part of it."""
    async with running_gateway() as everything:
        yield everything


@pytest.fixture
def running(shared_gateway: Running) -> Running:
    shared_gateway.pricing.forget()
    return shared_gateway


async def test_a_price_is_resolved_for_a_customer(running: Running) -> None:
    answer = pb.ResolvePriceResponse(
        cost=row(level=pb.COST_LEVEL_SPECIFIC_CUSTOMER, price_micros=700_000, customer_id="cust123"),
        resolved_at=at("2024-12-15T08:00:00Z"),
        valid_until=at("2025-01-01T00:00:00Z"),
    )
    running.pricing.will_answer("ResolvePrice", answer)
    response = await running.http.get(RESOLVE, params={"customerId": "cust123"})
    assert response.status_code == 200
    assert response.text == (
        '{"level":"SpecificCustomer","pricePerSms":0.7,"customerId":"cust123","costId":"cost_1",'
        '"effectiveFrom":"2024-12-13T00:00:00Z","resolvedAt":"2024-12-15T08:00:00Z",'
        '"validUntil":"2025-01-01T00:00:00Z"}'
    )
    assert running.pricing.request == pb.ResolvePriceRequest(customer_id="cust123")


async def test_a_price_is_resolved_through_an_app_at_an_instant_as_it_was_known(running: Running) -> None:
    question = {
        "customerId": "cust123",
        "appId": "app1",
        "at": "2024-12-01T00:00:00+03:00",
        "knownAt": "2024-12-15T08:00:00.5Z",
        "explain": "false",
    }
    response = await running.http.get(RESOLVE, params=question)
    assert response.status_code == 200
    assert set(response.json()) == {"level", "pricePerSms", "costId", "effectiveFrom", "resolvedAt"}
    assert running.pricing.request == pb.ResolvePriceRequest(
        customer_id="cust123",
        app_id="app1",
        at=at("2024-11-30T21:00:00Z"),
        known_at=at("2024-12-15T08:00:00.5Z"),
    )


async def test_an_explanation_lists_every_candidate_in_order(running: Running) -> None:
    verdicts = {
        pb.CANDIDATE_VERDICT_NOT_YET_EFFECTIVE: "notYetEffective",
        pb.CANDIDATE_VERDICT_WITHDRAWN: "withdrawn",
        pb.CANDIDATE_VERDICT_WON: "won",
        pb.CANDIDATE_VERDICT_REVISED: "revised",
        pb.CANDIDATE_VERDICT_SUPERSEDED: "superseded",
        pb.CANDIDATE_VERDICT_WEAKER_LEVEL: "weakerLevel",
    }
    answer = pb.ResolvePriceResponse(
        cost=row(),
        resolved_at=at("2024-12-15T08:00:00Z"),
        candidates=[
            pb.PriceCandidate(cost=row(cost_id=f"cost_{value}", revision=2), verdict=value, explanation="because_of it")
            for value in verdicts
        ],
    )
    running.pricing.will_answer("ResolvePrice", answer)
    response = await running.http.get(RESOLVE, params={"customerId": "cust123", "explain": "true"})
    candidates = response.json()["candidates"]
    assert [candidate["verdict"] for candidate in candidates] == list(verdicts.values())
    assert candidates[0] == {
        "costId": f"cost_{pb.CANDIDATE_VERDICT_NOT_YET_EFFECTIVE}",
        "level": "DirectCustomer",
        "pricePerSms": 0.8,
        "effectiveFrom": "2024-12-13T00:00:00Z",
        "revision": 2,
        "recordedAt": "2024-12-12T09:30:00.250000Z",
        "verdict": "notYetEffective",
        "explanation": "because_of it",
    }
    assert running.pricing.request.explain


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("", {"customerId": "REQUIRED"}),
        ("?customerId=c&explain=yes", {"explain": "INVALID_VALUE"}),
        ("?customerId=c&explain=True", {"explain": "INVALID_VALUE"}),
        ("?customerId=c&level=TukuPay", {"level": "UNKNOWN_PARAMETER"}),
        ("?customerId=c&at=2024-12-01", {"at": "INVALID_TIMESTAMP"}),
        ("?customerId=c&at=x&knownAt=2024-12-01T00:00:00", {"at": "INVALID_TIMESTAMP", "knownAt": "NAIVE_TIMESTAMP"}),
    ],
)
async def test_a_question_at_fault_does_not_reach_the_service(
    running: Running, query: str, faults: dict[str, str]
) -> None:
    response = await running.http.get(RESOLVE + query)
    assert response.status_code == 400
    assert {error["field"]: error["reason"] for error in response.json()["errors"]} == faults
    assert running.pricing.requests == []


async def test_an_offset_whose_plus_was_not_encoded_is_explained(running: Running) -> None:
    response = await running.http.get(RESOLVE + "?customerId=c&at=2024-12-01T00:00:00+03:00")
    assert response.status_code == 400
    assert "%2B" in response.json()["detail"]


async def test_without_any_price_nothing_is_found(running: Running) -> None:
    running.pricing.will_answer("ResolvePrice", ServiceError(Kind.NOT_FOUND, "NO_PRICE", "no price"))
    response = await running.http.get(RESOLVE, params={"customerId": "c"})
    assert (response.status_code, response.json()["reason"]) == (404, "NO_PRICE")


async def test_a_cost_says_that_it_is_meant_to_be_free_and_unusual(running: Running) -> None:
    recorded = pb.SetCostResponse(cost=row(price_micros=0, overridden_guards=[pb.PRICE_GUARD_FAR_PAST]))
    running.pricing.will_answer("SetCost", recorded)
    response = await running.http.post(COSTS, json=COST | {"pricePerSms": 0, "allowFree": True, "overrideGuards": True})
    assert response.status_code == 201
    assert response.json()["pricePerSms"] == 0.0
    assert response.json()["overriddenGuards"] == ["FAR_PAST"]
    request = running.pricing.request
    assert (request.price_micros, request.allow_free, request.override_guards) == (0, True, True)
    assert not request.HasField("idempotency_key")


@pytest.mark.parametrize("flags", [{}, {"allowFree": None, "overrideGuards": None}, {"allowFree": False}])
async def test_a_cost_claims_neither_unless_told(running: Running, flags: dict[str, Any]) -> None:
    response = await running.http.post(COSTS, json=COST | flags)
    assert not running.pricing.request.allow_free
    assert not running.pricing.request.override_guards
    assert not {"overriddenGuards", "withdrawal"} & set(response.json())


async def test_a_flag_that_is_no_boolean_is_refused(running: Running) -> None:
    response = await running.http.post(COSTS, json=COST | {"allowFree": 1, "overrideGuards": "yes"})
    assert response.status_code == 400
    assert {error["field"]: error["reason"] for error in response.json()["errors"]} == {
        "allowFree": "WRONG_TYPE",
        "overrideGuards": "WRONG_TYPE",
    }


async def test_an_unusual_price_is_refused_with_its_guards_and_the_way_out(running: Running) -> None:
    guards = [
        Violation("price_micros", "RELATIVE_CHANGE", "is 8 KES where 0.8 KES is in effect"),
        Violation("effective_from", "FAR_PAST", "lies more than 31 days in the past"),
    ]
    failure = ServiceError(
        Kind.FAILED_PRECONDITION, "PRICE_GUARD", "If this is meant, override the guards", violations=guards
    )
    running.pricing.will_answer("SetCost", failure)
    response = await running.http.post(COSTS, json=COST)
    assert (response.status_code, response.json()["reason"]) == (409, "PRICE_GUARD")
    assert response.json()["detail"] == "If this is meant, override the guards. Set overrideGuards to true for that"
    assert [(error["field"], error["reason"]) for error in response.json()["errors"]] == [
        ("pricePerSms", "RELATIVE_CHANGE"),
        ("effectiveFrom", "FAR_PAST"),
    ]


async def test_a_repetition_under_the_same_key_is_told_from_the_first(running: Running) -> None:
    key = {"Idempotency-Key": "import 7/12"}
    first = await running.http.post(COSTS, json=COST, headers=key)
    assert first.status_code == 201
    assert "idempotent-replay" not in first.headers
    assert running.pricing.request.idempotency_key == "import 7/12"
    running.pricing.will_answer("SetCost", pb.SetCostResponse(cost=row(), replayed=True))
    again = await running.http.post(COSTS, json=COST, headers=key)
    assert (again.status_code, again.headers["idempotent-replay"]) == (200, "true")
    assert again.json()["costId"] == "cost_1"


async def test_a_key_at_fault_is_named_as_the_header(running: Running) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("content-type", "application/json")]
    response = await running.http.post(COSTS, content=b"{}", headers=twice)
    assert response.status_code == 400
    assert [(e["field"], e["reason"]) for e in response.json()["errors"]] == [("Idempotency-Key", "REPEATED_PARAMETER")]
    reused = ServiceError(Kind.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED", "the idempotency key was used before")
    running.pricing.will_answer("SetCost", reused)
    response = await running.http.post(COSTS, json=COST, headers={"Idempotency-Key": "a"})
    assert (response.status_code, response.json()["reason"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert response.json()["detail"] == "the idempotency key was used before"


async def test_a_withdrawal_answers_with_the_row_and_how_it_was_taken_back(running: Running) -> None:
    response = await running.http.post(WITHDRAW, json=WITHDRAWAL)
    assert response.status_code == 200
    assert response.json() == {
        "costId": "cost_7",
        "level": "DirectCustomer",
        "pricePerSms": 0.8,
        "reason": "Default customer cost",
        "effectiveFrom": "2024-12-13T00:00:00Z",
        "createdBy": "admin123",
        "recordedAt": "2024-12-12T09:30:00.250000Z",
        "revision": 1,
        "withdrawal": {"withdrawnAt": "2024-12-12T16:00:00Z", "withdrawnBy": "finance_2", "reason": "A slip"},
    }
    assert running.pricing.request == pb.WithdrawCostRequest(
        cost_id="cost_7", withdrawn_by="finance_2", reason="A slip"
    )


async def test_a_withdrawal_at_fault_does_not_reach_the_service(running: Running) -> None:
    response = await running.http.post(WITHDRAW, json={"withdrawnBy": 7, "by": "x"})
    assert response.status_code == 400
    assert {error["field"]: error["reason"] for error in response.json()["errors"]} == {
        "withdrawnBy": "WRONG_TYPE",
        "reason": "REQUIRED",
        "by": "UNKNOWN_FIELD",
    }
    assert running.pricing.requests == []
    wrong = await running.http.get(WITHDRAW)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (ServiceError(Kind.NOT_FOUND, "COST_NOT_FOUND", "there is no such cost"), 404, "COST_NOT_FOUND"),
        (ServiceError(Kind.FAILED_PRECONDITION, "COST_IN_FORCE", "it is in force"), 409, "COST_IN_FORCE"),
        (ServiceError(Kind.FAILED_PRECONDITION, "COST_WITHDRAWN", "it was withdrawn"), 409, "COST_WITHDRAWN"),
        (grpc.StatusCode.UNAVAILABLE, 503, "PRICING_INTERRUPTED"),
    ],
)
async def test_a_withdrawal_that_is_not_possible_says_why(
    running: Running, failure: Exception | grpc.StatusCode, status: int, reason: str
) -> None:
    running.pricing.will_answer("WithdrawCost", failure)
    response = await running.http.post(WITHDRAW, json=WITHDRAWAL)
    assert (response.status_code, response.json()["reason"]) == (status, reason)


async def test_the_history_tells_which_rows_were_taken_back(running: Running) -> None:
    taken = pb.Withdrawal(withdrawn_time=at("2024-12-12T16:00:00Z"), withdrawn_by="finance_2", reason="A slip")
    running.pricing.will_answer("ListCosts", pb.ListCostsResponse(costs=[row(), row(withdrawal=taken)]))
    kept, withdrawn = (await running.http.get(f"{COSTS}/history?level=DirectCustomer")).json()
    assert set(withdrawn) - set(kept) == {"withdrawal"}
    assert withdrawn["withdrawal"] == {
        "withdrawnAt": "2024-12-12T16:00:00Z",
        "withdrawnBy": "finance_2",
        "reason": "A slip",
    }
