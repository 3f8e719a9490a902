"""The audit log over REST: whose, which entries, and page by page."""

from __future__ import annotations

import pytest

from tests.doubles.audit_double import entry
from tests.doubles.gateway_doubles import at
from tests.integration.gateway.conftest import Running
from tukupay.sms.common.v1 import audit_pb2 as pb

ENTRIES = "/api/audit/entries"


async def test_entries_are_shown_with_what_was_before_and_after(running: Running) -> None:
    response = await running.http.get(ENTRIES)
    assert response.status_code == 200
    assert response.json() == [
        {
            "entryId": 41,
            "at": "2026-12-15T08:00:00Z",
            "action": "account.updated",
            "subject": "user123",
            "userId": "user123",
            "principal": "operator:jane",
            "principalKind": "operator",
            "origin": None,
            "requestId": None,
            "before": {"status": "active"},
            "after": {"status": "suspended", "limits": {"daily_spend": None}},
        }
    ]
    assert running.audits["messaging"].request == pb.ListAuditEntriesRequest()
    assert running.audits["messaging"].origin == "127.0.0.1"


async def test_filters_and_pages_are_handed_on_to_the_service_that_is_named(running: Running) -> None:
    page = pb.ListAuditEntriesResponse(entries=[entry()], next_page_token="more")
    running.audits["pricing"].will_answer("ListAuditEntries", page)
    response = await running.http.get(
        ENTRIES,
        params={
            "service": "pricing",
            "action": "price.",
            "principal": "operator:jane",
            "userId": "user123",
            "subject": "cost_1",
            "from": "2026-12-01T00:00:00Z",
            "to": "2026-12-02T00:00:00Z",
            "limit": "1",
            "pageToken": "here",
        },
    )
    assert response.status_code == 200
    assert "pageToken=more" in response.headers["link"]
    assert running.audits["messaging"].requests == []
    assert running.audits["pricing"].request == pb.ListAuditEntriesRequest(
        action="price.",
        principal="operator:jane",
        user_id="user123",
        subject="cost_1",
        start_time=at("2026-12-01T00:00:00Z"),
        end_time=at("2026-12-02T00:00:00Z"),
        page_size=1,
        page_token="here",
    )


@pytest.mark.parametrize("query", ["service=gateway", "limit=501", "from=yesterday", "who=me"])
async def test_what_makes_no_sense_is_refused(running: Running, query: str) -> None:
    assert (await running.http.get(f"{ENTRIES}?{query}")).status_code == 400
