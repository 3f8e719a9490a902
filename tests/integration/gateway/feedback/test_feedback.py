"""Feedback and conversion over REST, and how limits are told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service_kit.errors import Kind, ServiceError
from service_kit.quotas import quota
from tests.doubles.gateway_doubles import ENTRY_ID
from tests.integration.gateway.conftest import Running
from tukupay.sms.messaging.v1 import feedback_pb2 as pb

CONVERSION = "/api/sms/conversion"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("verified", pb.FEEDBACK_OUTCOME_VERIFIED), ("not_verified", pb.FEEDBACK_OUTCOME_NOT_VERIFIED)],
)
async def test_what_became_of_a_code_is_recorded(
    running: Running, word: str, outcome: pb.FeedbackOutcome.ValueType
) -> None:
    response = await running.http.post(f"/api/sms/outbox/{ENTRY_ID}/feedback", json={"outcome": word})
    assert (response.status_code, response.json()) == (200, {"outboxId": ENTRY_ID, "outcome": word})
    assert running.feedback.request == pb.RecordFeedbackRequest(outbox_id=ENTRY_ID, outcome=outcome)


async def test_failures_of_feedback_keep_their_reasons(running: Running) -> None:
    path = f"/api/sms/outbox/{ENTRY_ID}/feedback"
    unknown = await running.http.post("/api/sms/outbox/outbox_1/feedback", json={"outcome": "verified"})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "OUTBOX_ENTRY_NOT_FOUND")
    late = ServiceError(Kind.FAILED_PRECONDITION, "FEEDBACK_TOO_LATE", "too old")
    running.feedback.will_answer("RecordFeedback", late)
    response = await running.http.post(path, json={"outcome": "verified"})
    assert (response.status_code, response.json()["reason"]) == (409, "FEEDBACK_TOO_LATE")
    wrong = await running.http.post(path, json={"outcome": "maybe"})
    assert (wrong.status_code, [each["field"] for each in wrong.json()["errors"]]) == (400, ["outcome"])


async def test_conversion_is_reported_by_block(running: Running) -> None:
    response = await running.http.get(CONVERSION, params={"userId": "user123", "hours": "48", "limit": "5"})
    assert running.feedback.request == pb.GetConversionRequest(user_id="user123", hours=48, limit=5)
    assert response.json() == {
        "userId": "user123",
        "since": "2024-12-14T09:00:00Z",
        "total": {"sent": 9, "refused": 23, "verified": 0, "notVerified": 0, "conversion": None},
        "blocks": [
            {
                "block": "+254712345",
                "counts": {"sent": 7, "refused": 23, "verified": 2, "notVerified": 4, "conversion": 0.3333},
                "suspectedAt": "2024-12-15T08:00:00Z",
            }
        ],
    }


@pytest.mark.parametrize("hours", ["0", "169", "1.5", "x"])
async def test_hours_are_a_whole_number_of_a_week_at_most(running: Running, hours: str) -> None:
    response = await running.http.get(CONVERSION, params={"userId": "user123", "hours": hours})
    assert (response.status_code, [each["field"] for each in response.json()["errors"]]) == (400, ["hours"])


async def test_a_limit_that_counts_messages_is_told_in_the_fields_of_the_draft(running: Running) -> None:
    running.messaging.will_answer(
        "ResendSms",
        ServiceError(
            Kind.OVERLOADED,
            "KEY_RATE_LIMIT_REACHED",
            "the API key has sent as many as it may",
            retry_after=timedelta(seconds=30.2),
            metadata={"key": "tk_live_4fQ2bT9x", **quota("key-minute", 100, timedelta(minutes=1))},
        ),
    )
    response = await running.http.post("/api/sms/outbox/resend", json={"outboxId": ENTRY_ID})
    told = {name: response.headers.get(name) for name in ("Retry-After", "RateLimit-Policy", "RateLimit")}
    assert (response.status_code, told) == (
        429,
        {"Retry-After": "31", "RateLimit-Policy": '"key-minute";q=100;w=60', "RateLimit": '"key-minute";r=0;t=31'},
    )


async def test_other_refusals_have_no_such_fields(running: Running) -> None:
    response = await running.http.get(CONVERSION)
    assert response.status_code == 400
    assert "RateLimit" not in response.headers
