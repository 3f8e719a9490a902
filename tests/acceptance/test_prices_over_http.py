"""Prices as finance and customers meet them: quoted, explained, guarded, repeated, taken back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.system.rest import COSTS, JSON, Answer
from tests.system.running import System

QUOTE = "/api/sms/quote"
RESOLVE = f"{COSTS}/resolve"
YEAR_2024 = "2024-01-01T00:00:00Z"

_customers = (f"priced-{number}" for number in count(1))


@pytest.fixture
def customer(system: System) -> str:
    """A customer with a price of 0.6 of their own."""
    name = next(_customers)
    system.rest.set_cost("SpecificCustomer", 0.6, customerId=name)
    return name


def cost(customer: str, price: float, effective_from: str = YEAR_2024, **fields: Any) -> dict[str, Any]:
    return {
        "level": "SpecificCustomer",
        "customerId": customer,
        "pricePerSms": price,
        "effectiveFrom": effective_from,
        "reason": "renegotiated",
        "createdBy": "finance_1",
        **fields,
    }


def tomorrow(seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=1, seconds=seconds)).isoformat()


def price_of(system: System, customer: str, **question: str) -> float:
    price: float = system.rest.get(RESOLVE, customerId=customer, **question).body["pricePerSms"]
    return price


def withdraw(system: System, cost_id: str, by: str = "finance_2") -> Answer:
    return system.rest.post(f"{COSTS}/{cost_id}/withdraw", {"withdrawnBy": by, "reason": "not signed"})


# Quotes.


def test_what_was_quoted_is_what_is_sent_and_charged(system: System, customer: str) -> None:
    text = "Karibu – it’s your code: 84210973… " + "asante sana! " * 9
    asked = {"userId": customer, "message": text, "recipientPhoneNumber": "+254712345678", "senderId": "TUKUPAY"}
    quote = system.rest.post(QUOTE, asked).body
    assert (quote["encoding"], quote["level"], quote["currency"]) == ("UCS-2", "SpecificCustomer", "KES")
    assert "".join(quote["parts"]) == text
    assert (quote["smsUnits"], quote["totalCost"]) == (len(quote["parts"]), 1.8)
    advice = quote["advice"]
    assert [found["codePoint"] for found in advice["characters"]] == ["U+2013", "U+2019", "U+2026"]
    assert (advice["smsUnits"], advice["saving"]) == (1, 1.2)
    for message, total in ((text, 1.8), (advice["text"], 0.6)):
        entry = system.rest.send(customer, message=message).entry
        assert (entry["costPerUnit"], entry["totalCost"]) == (0.6, total)
    assert "advice" not in system.rest.post(QUOTE, {"userId": customer, "message": advice["text"]}).body


def test_a_quote_for_later_has_the_price_of_then_and_leaves_no_trace(system: System, customer: str) -> None:
    later = tomorrow()
    assert system.rest.post(COSTS, cost(customer, 0.5, later)).status == 201
    asked = {"userId": customer, "message": "Habari"}
    assert system.rest.post(QUOTE, asked).body["totalCost"] == 0.6
    assert system.rest.post(QUOTE, {**asked, "scheduleTimestamp": tomorrow(60)}).body["totalCost"] == 0.5
    assert system.rest.get("/api/sms/outbox", userId=customer).body == []


def test_a_quote_is_refused_as_the_send_would_be(system: System, customer: str) -> None:
    asked = {"userId": customer, "message": "a" * 1_531, "recipientPhoneNumber": "0712345678", "senderId": "?"}
    assert system.rest.post(QUOTE, asked).faults == [
        ("recipientPhoneNumber", "INVALID_PHONE_NUMBER"),
        ("senderId", "INVALID_SENDER_ID"),
        ("message", "MESSAGE_TOO_LONG"),
    ]


# Explanations, and what was known when.


def test_a_price_is_explained_by_every_row_that_was_considered(system: System, customer: str) -> None:
    system.rest.set_cost("SpecificCustomer", 0.7, customerId=customer)
    assert system.rest.post(COSTS, cost(customer, 0.5, tomorrow())).status == 201
    answer = system.rest.get(RESOLVE, customerId=customer, explain="true").body
    assert (answer["level"], answer["pricePerSms"], answer["customerId"]) == ("SpecificCustomer", 0.7, customer)
    own = [(row["pricePerSms"], row["verdict"]) for row in answer["candidates"] if row["level"] == "SpecificCustomer"]
    assert sorted(own) == [(0.5, "notYetEffective"), (0.6, "revised"), (0.7, "won")]
    others = {row["verdict"] for row in answer["candidates"] if row["level"] != "SpecificCustomer"}
    assert others == {"weakerLevel"}
    assert all(row["explanation"] for row in answer["candidates"])
    assert "candidates" not in system.rest.get(RESOLVE, customerId=customer).body


def test_an_old_charge_can_be_derived_again_after_the_price_was_revised(system: System, customer: str) -> None:
    before = system.rest.get(RESOLVE, customerId=customer).body["resolvedAt"]
    system.rest.set_cost("SpecificCustomer", 0.7, customerId=customer)
    assert price_of(system, customer, at=before) == 0.7
    assert price_of(system, customer, at=before, knownAt=before) == 0.6


def test_what_will_be_known_is_not_known(system: System, customer: str) -> None:
    answer = system.rest.get(RESOLVE, customerId=customer, knownAt=tomorrow())
    assert (answer.status, [field for field, _ in answer.faults]) == (400, ["knownAt"])


# Withdrawals.


def test_a_future_price_is_taken_back_and_stays_on_record(system: System, customer: str) -> None:
    later = tomorrow()
    cost_id = system.rest.post(COSTS, cost(customer, 0.5, later)).body["costId"]
    assert price_of(system, customer, at=tomorrow(60)) == 0.5
    before = system.rest.get(RESOLVE, customerId=customer).body["resolvedAt"]
    first, again = withdraw(system, cost_id), withdraw(system, cost_id)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert first.body["withdrawal"].keys() == {"withdrawnAt", "withdrawnBy", "reason"}
    assert price_of(system, customer, at=tomorrow(60)) == 0.6
    assert price_of(system, customer, at=tomorrow(60), knownAt=before) == 0.5
    *_, row = system.rest.get(f"{COSTS}/history", level="SpecificCustomer", customerId=customer).body
    assert (row["costId"], row["withdrawal"]) == (cost_id, first.body["withdrawal"])
    other = withdraw(system, cost_id, by="finance_3")
    assert (other.status, other.reason) == (409, "COST_WITHDRAWN")
    assert "finance_2" in other.problem["detail"]


def test_a_price_in_force_and_one_that_is_not_there_cannot_be_taken_back(system: System, customer: str) -> None:
    cost_id = system.rest.get(RESOLVE, customerId=customer).body["costId"]
    in_force, absent = withdraw(system, cost_id), withdraw(system, "cost_" + "0" * 32)
    assert (in_force.status, in_force.reason) == (409, "COST_IN_FORCE")
    assert (absent.status, absent.reason) == (404, "COST_NOT_FOUND")


# Guards and repetitions.


def test_a_slip_of_the_decimal_point_is_caught_unless_it_is_meant(system: System, customer: str) -> None:
    refused = system.rest.post(COSTS, cost(customer, 6.0))
    assert (refused.status, refused.reason) == (409, "PRICE_GUARD")
    assert refused.faults == [("pricePerSms", "RELATIVE_CHANGE")]
    assert "overrideGuards" in refused.problem["detail"]
    assert price_of(system, customer) == 0.6
    meant = system.rest.post(COSTS, cost(customer, 6.0, overrideGuards=True))
    assert (meant.status, meant.body["overriddenGuards"]) == (201, ["RELATIVE_CHANGE"])
    assert price_of(system, customer) == 6.0


def test_free_is_recorded_only_when_it_is_asked_for(system: System, customer: str) -> None:
    refused = system.rest.post(COSTS, cost(customer, 0))
    assert (refused.status, refused.faults) == (400, [("pricePerSms", "OUT_OF_RANGE")])
    assert "allowFree" in refused.problem["detail"]
    assert system.rest.post(COSTS, cost(customer, 0, allowFree=True)).body["pricePerSms"] == 0


def test_a_repetition_under_one_key_makes_one_row(system: System, customer: str) -> None:
    def post(price: float, key: str) -> Answer:
        body = json.dumps(cost(customer, price)).encode()
        return system.rest.request("POST", COSTS, body, {**JSON, "Idempotency-Key": key})

    first, again, other = post(0.5, f"{customer}/1"), post(0.5, f"{customer}/1"), post(0.4, f"{customer}/1")
    assert (first.status, again.status) == (201, 200)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert first.body == again.body
    assert (other.status, other.reason) == (409, "IDEMPOTENCY_KEY_REUSED")
    for key in ("", "k" * 129):
        assert post(0.5, key).faults == [("Idempotency-Key", "MALFORMED")]
    rows = system.rest.get(f"{COSTS}/history", level="SpecificCustomer", customerId=customer).body
    assert [row["pricePerSms"] for row in rows if row["level"] == "SpecificCustomer"] == [0.6, 0.5]
