"""The suppression list over REST."""

from __future__ import annotations

from typing import Any

import pytest

from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.suppression_double import ENTRY_ID, entry
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import suppressions_pb2 as pb

LIST = "/api/sms/suppressions"
NEW = {"phoneNumber": "+254712345678", "reason": "unsubscribed", "createdBy": "shop"}
SHOWN = {
    "suppressionId": ENTRY_ID,
    "phoneNumber": "+254712345678",
    "senderId": None,
    "userId": None,
    "source": "api",
    "reason": "unsubscribed",
    "createdBy": "shop",
    "createdAt": "2024-12-15T08:00:00Z",
    "ending": None,
}


async def test_a_new_entry_is_created_and_a_known_one_is_shown(running: Running) -> None:
    response = await running.http.post(LIST, json=NEW | {"senderId": "TUKUPAY", "userId": None})
    assert response.status_code == 201
    assert response.json() == {"suppression": SHOWN | {"senderId": "TUKUPAY"}, "cancelledMessages": 2}
    assert running.suppressions.request == pb.AddSuppressionRequest(
        phone_number="+254712345678",
        sender_id="TUKUPAY",
        source=pb.SUPPRESSION_SOURCE_API,
        reason="unsubscribed",
        created_by="shop",
    )
    running.suppressions.will_answer("AddSuppression", pb.AddSuppressionResponse(suppression=entry()))
    again = await running.http.post(LIST, json=NEW)
    assert (again.status_code, again.json()) == (200, {"suppression": SHOWN, "cancelledMessages": 0})


async def test_an_entry_is_ended_with_who_and_why(running: Running) -> None:
    response = await running.http.delete(f"{LIST}/{ENTRY_ID}", params={"reason": "came back", "endedBy": "shop"})
    assert response.status_code == 200
    assert response.json() == SHOWN | {
        "ending": {"endedAt": "2024-12-20T08:00:00Z", "source": "api", "endedBy": "shop", "reason": "came back"}
    }
    missing = await running.http.delete(f"{LIST}/{ENTRY_ID}")
    assert [(error["field"], error["reason"]) for error in missing.json()["errors"]] == [
        ("reason", "REQUIRED"),
        ("endedBy", "REQUIRED"),
    ]
    unknown = await running.http.delete(f"{LIST}/nobody", params={"reason": "came back", "endedBy": "shop"})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "SUPPRESSION_NOT_FOUND")


async def test_a_check_names_what_stands_in_the_way(running: Running) -> None:
    question = {"phoneNumber": "+254712345678", "senderId": "22141", "userId": "user123"}
    response = await running.http.post(f"{LIST}/check", json=question)
    assert response.status_code == 200
    assert response.json() == {
        "suppressed": True,
        "suppressions": [SHOWN | {"senderId": "22141", "source": "stop_keyword", "createdBy": "smpp"}],
    }
    assert (await running.http.delete(f"{LIST}/check")).status_code == 405


async def test_the_list_has_filters_and_a_link_to_the_next_page(running: Running) -> None:
    page = pb.ListSuppressionsResponse(suppressions=[entry()], next_page_token="t/+=")
    running.suppressions.will_answer("ListSuppressions", page)
    filters = {"userId": "user123", "senderId": "22141", "source": "carrier", "includeEnded": "true", "limit": "1"}
    response = await running.http.get(LIST, params=filters)
    assert response.json() == [SHOWN]
    asked = pb.ListSuppressionsRequest(
        user_id="user123",
        sender_id="22141",
        source=pb.SUPPRESSION_SOURCE_CARRIER,
        include_ended=True,
        page_size=1,
    )
    assert running.suppressions.request == asked
    await running.http.get(response.links["next"]["url"])
    asked.page_token = "t/+="
    assert running.suppressions.requests[1] == asked


@pytest.mark.parametrize(
    ("name", "value"),
    [("phoneNumber", "+254712345678"), ("source", "rumour"), ("includeEnded", "yes"), ("limit", "501")],
)
async def test_a_parameter_at_fault_is_named(running: Running, name: str, value: str) -> None:
    response = await running.http.get(LIST, params={name: value})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [name]
    assert not running.suppressions.requests


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["phoneNumber", "reason", "createdBy"]),
        (NEW | {"source": "operator"}, ["source"]),
        (NEW | {"senderId": 22141}, ["senderId"]),
    ],
)
async def test_a_body_at_fault_is_named_field_by_field(
    running: Running, body: dict[str, Any], fields: list[str]
) -> None:
    response = await running.http.post(LIST, json=body)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == fields


async def test_what_the_service_finds_wrong_is_told_in_the_names_of_rest(running: Running) -> None:
    faults = [Violation("phone_number", "INVALID_PHONE_NUMBER", "is not in E.164"), Violation("created_by", "X", "no")]
    running.suppressions.will_answer("AddSuppression", invalid(faults))
    response = await running.http.post(LIST, json=NEW)
    assert [error["field"] for error in response.json()["errors"]] == ["phoneNumber", "createdBy"]


async def test_a_send_to_somebody_who_opted_out_is_a_problem_with_a_remedy(running: Running) -> None:
    error = ServiceError(Kind.FAILED_PRECONDITION, "RECIPIENT_OPTED_OUT", "wants no messages. Take the number off")
    running.messaging.on_item = lambda _: error
    body = {"userId": "user123", "recipientPhoneNumber": "+254712345678", "message": "Hi", "senderId": "TUKUPAY"}
    response = await running.http.post("/api/sms/send", json=body)
    assert (response.status_code, response.json()["reason"]) == (409, "RECIPIENT_OPTED_OUT")
    assert "Take the number off" in response.json()["detail"]
