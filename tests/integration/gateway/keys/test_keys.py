"""API keys over REST: made, listed, shown, replaced and ended; the whole key is shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service_kit.errors import Kind, ServiceError, Violation, invalid
from tests.doubles.access_double import KEY_ID, SECRET, key
from tests.doubles.gateway_doubles import at
from tests.integration.gateway.conftest import Running
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb

KEYS = "/api/access/keys"
ONE = f"{KEYS}/{KEY_ID}"
NEW: dict[str, Any] = {"name": "shop", "mode": "live", "userIds": ["user123"], "scopes": ["sms:send"]}


async def test_a_key_is_made_and_its_secret_is_shown_once(running: Running) -> None:
    wanted = {
        **NEW,
        "appId": "web",
        "networks": ["203.0.113.0/24"],
        "expiresAt": "2027-12-15T11:00:00+03:00",
        "messagesPerMinute": 600,
        "dailySpend": 0.7,
    }
    response = await running.http.post(KEYS, json=wanted)
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert running.keys.request.terms == pb.KeyTerms(
        name="shop",
        mode=common.ACCESS_MODE_LIVE,
        accounts=["user123"],
        app_id="web",
        scopes=["sms:send"],
        networks=["203.0.113.0/24"],
        expires_time=at("2027-12-15T08:00:00Z"),
        messages_per_minute=600,
        daily_spend_micros=700_000,
    )
    made = response.json()
    assert made["secret"] == SECRET
    assert made["key"] == {
        **wanted,
        "keyId": KEY_ID,
        "status": "active",
        "allAccounts": False,
        "expiresAt": "2027-12-15T08:00:00Z",
        "createdAt": "2026-12-15T08:00:00Z",
        "createdBy": "operator:jane",
        **dict.fromkeys(("lastUsedAt", "revokedAt", "revokedBy", "replacedBy")),
    }


async def test_what_is_left_out_of_a_key_is_not_sent_on(running: Running) -> None:
    await running.http.post(KEYS, json={"name": "all", "mode": "test", "allAccounts": True, "scopes": ["*"]})
    assert running.keys.request.terms == pb.KeyTerms(
        name="all", mode=common.ACCESS_MODE_TEST, all_accounts=True, scopes=["*"]
    )


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"mode": "sandbox"}, ["mode"]),
        ({"expiresAt": "2027-12-15T08:00:00"}, ["expiresAt"]),
        ({"messagesPerMinute": 0, "dailySpend": 0.0000001}, ["dailySpend", "messagesPerMinute"]),
        (
            {"messagesPerMinute": 1_000_001, "dailySpend": 0, "scopes": []},
            ["dailySpend", "messagesPerMinute", "scopes"],
        ),
        ({"dailySpend": 1_000_000_000.1}, ["dailySpend"]),
        ({"scopes": ["sms:send", "assert:principal", "sms:fly"]}, ["scopes[1]"]),
        ({"secret": "x"}, ["secret"]),
    ],
)
async def test_a_body_at_fault_is_named_field_by_field(
    running: Running, change: dict[str, Any], fields: list[str]
) -> None:
    response = await running.http.post(KEYS, json=NEW | change)
    assert response.status_code == 400
    assert [fault["field"] for fault in response.json()["errors"]] == fields
    assert running.keys.requests == []


async def test_what_the_service_refuses_is_said_in_the_names_of_rest(running: Running) -> None:
    names = ["terms.accounts", "terms.expires_time", "terms.daily_spend_micros", "terms.networks[1]", "terms.scopes"]
    running.keys.will_answer("CreateKey", invalid([Violation(name, "INVALID_VALUE", "is wrong") for name in names]))
    response = await running.http.post(KEYS, json=NEW)
    assert [fault["field"] for fault in response.json()["errors"]] == [
        *("userIds", "expiresAt", "dailySpend", "networks[1]", "scopes")
    ]


async def test_keys_have_filters_and_a_link_to_the_next_page(running: Running) -> None:
    page = pb.ListKeysResponse(keys=[key(last_used_time=at("2026-12-16T10:15:00Z"))], next_page_token="more")
    running.keys.will_answer("ListKeys", page)
    response = await running.http.get(KEYS, params={"userId": "user123", "status": "active", "limit": 1})
    assert running.keys.request == pb.ListKeysRequest(user_id="user123", status=pb.KEY_STATUS_ACTIVE, page_size=1)
    assert response.links["next"]["url"] == f"{KEYS}?userId=user123&status=active&limit=1&pageToken=more"
    [shown] = response.json()
    assert shown["lastUsedAt"] == "2026-12-16T10:15:00Z"
    assert SECRET not in response.text


async def test_a_key_is_shown_replaced_and_ended(running: Running) -> None:
    assert (await running.http.get(ONE)).json()["keyId"] == KEY_ID
    rotated = await running.http.post(f"{ONE}/rotate", json={"overlapSeconds": 3_600})
    assert running.keys.requests[-1].overlap.ToTimedelta() == timedelta(hours=1)
    assert rotated.json()["secret"] == SECRET
    assert rotated.json()["replaced"]["replacedBy"] == KEY_ID
    await running.http.post(f"{ONE}/rotate")
    assert not running.keys.requests[-1].HasField("overlap")
    revoked = await running.http.post(f"{ONE}/revoke")
    assert revoked.json()["status"] == "revoked"
    assert revoked.json()["revokedBy"] == "operator:jane"


async def test_an_overlap_out_of_range_is_refused(running: Running) -> None:
    response = await running.http.post(f"{ONE}/rotate", json={"overlapSeconds": 30 * 86_400 + 1})
    assert response.status_code == 400
    assert [fault["field"] for fault in response.json()["errors"]] == ["overlapSeconds"]


@pytest.mark.parametrize(("verb", "path"), [("GET", ""), ("POST", "/rotate"), ("POST", "/revoke")])
async def test_a_key_that_is_not_there_is_not_found(running: Running, verb: str, path: str) -> None:
    response = await running.http.request(verb, f"{KEYS}/tk_live_other000{path}")
    assert response.status_code == 404
    assert response.json()["reason"] == "KEY_NOT_FOUND"


async def test_a_key_that_has_ended_is_not_replaced(running: Running) -> None:
    running.keys.will_answer("RotateKey", ServiceError(Kind.FAILED_PRECONDITION, "KEY_ENDED", "it is revoked"))
    response = await running.http.post(f"{ONE}/rotate")
    assert (response.status_code, response.json()["reason"]) == (409, "KEY_ENDED")
