"""Erasures over REST."""

from __future__ import annotations

from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import privacy_pb2 as pb

ERASURES = "/api/privacy/erasures"
PHONE = "+254712345678"


async def test_an_erasure_says_what_is_gone_and_what_waits(running: Running) -> None:
    response = await running.http.post(ERASURES, json={"phoneNumber": PHONE})
    assert response.status_code == 200
    assert running.privacy.request == pb.ErasePhoneRequest(phone_number=PHONE)
    assert response.json() == {
        "messages": 2,
        "receipts": 2,
        "inboundMessages": 0,
        "counts": 0,
        "suppressions": 1,
        "openMessages": 0,
        "waiting": 0,
    }
    assert PHONE[4:] not in response.text


async def test_why_nothing_is_erased_is_told_without_the_number(running: Running) -> None:
    unset = ServiceError(Kind.FAILED_PRECONDITION, "KEYS_NOT_SET", "texts are not stored under keys here")
    running.privacy.will_answer("ErasePhone", unset)
    refused = await running.http.post(ERASURES, json={"phoneNumber": PHONE})
    assert (refused.status_code, refused.json()["reason"]) == (409, "KEYS_NOT_SET")
    problem = invalid([Violation("phone_number", "INVALID_PHONE_NUMBER", "is not in E.164")])
    running.privacy.will_answer("ErasePhone", problem)
    malformed = await running.http.post(ERASURES, json={"phoneNumber": "0712345678"})
    assert [error["field"] for error in malformed.json()["errors"]] == ["phoneNumber"]
    assert "0712345678" not in malformed.text
