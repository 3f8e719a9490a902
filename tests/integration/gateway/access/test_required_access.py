"""A gateway that requires access lets in who shows a valid credential, to what it allows, over real HTTP and gRPC."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from gateway_http.access.key_service import SILENCE_S
from gateway_http.access.known_keys import UNWATCHED_S
from gateway_http.rest_api import OPERATIONS
from gateway_http.settings import REQUIRED, GatewaySettings
from service_kit.access import api_key
from service_kit.access.principal import AccessMode, PrincipalKind
from service_kit.errors import Kind, ServiceError
from tests.doubles.gateway_doubles import ENTRY_ID, at
from tests.integration.gateway.conftest import ANY_PORT, Running, running_gateway
from tests.integration.gateway.test_gateway_metrics import figures_of
from tests.system.waiting import eventually
from tukupay.sms.common.v1 import access_pb2 as common

SEND = "/api/sms/send"
BALANCE = "/api/sms/balance?userId=user123"
SMS: dict[str, Any] = {
    "userId": "user123",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your parcel has arrived.",
    "senderId": "TUKUPAY",
}
KIND, MODE = common.PRINCIPAL_KIND_API_KEY, common.ACCESS_MODE_LIVE
REFUSED = "tukupay_http_credentials_refused_total"


def settings(**others: Any) -> GatewaySettings:
    known: dict[str, Any] = {"bad_credentials_per_minute": 1_000}
    return GatewaySettings(http_address=ANY_PORT, access=REQUIRED, **(known | others))


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway(settings()) as everything:
        await everything.keys.watched.wait()
        yield everything


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


async def sent(running: Running, key: str, **fields: Any) -> httpx.Response:
    return await running.http.post(SEND, json=SMS | fields, headers=bearer(key))


def refusal(response: httpx.Response) -> tuple[int, str, str | None]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["reason"], response.headers.get("www-authenticate")


MISSING = (401, "UNAUTHENTICATED", 'Bearer realm="tukupay-sms"')
NOT_VALID = (401, "UNAUTHENTICATED", 'Bearer realm="tukupay-sms", error="invalid_token"')


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic dXNlcjpwYXNz"}, {"Authorization": ""}])
async def test_a_request_without_a_credential_is_told_what_to_send(running: Running, headers: dict[str, str]) -> None:
    assert refusal(await running.http.post(SEND, json=SMS, headers=headers)) == MISSING
    assert refusal(await running.http.get(BALANCE, headers=headers)) == MISSING
    assert running.messaging.batches == running.accounts.requests == running.keys.questions == []


def mistyped(key: str) -> str:
    return key[:-1] + ("a" if key[-1] != "a" else "b")


UNSIGNED = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, {"sub": "x"})
)


@pytest.mark.parametrize(
    "credential",
    [
        "tk_live_",
        "garbage",
        'quoted"and,more',
        # Of the right form, with a checksum that is wrong.
        "tk_live_4fQ2bT9xK0b7sY1qVn3Zr8LwD5cHt2mXg6uPj9aE000000",
        f"{UNSIGNED}.",
        "x" * 20_000,
    ],
)
async def test_what_can_be_no_key_is_refused_without_a_question(running: Running, credential: str) -> None:
    response = await running.http.post(SEND, json=SMS, headers=bearer(credential))
    assert refusal(response) == NOT_VALID
    assert running.keys.questions == []
    assert credential not in response.text


async def test_a_credential_that_is_given_twice_is_refused(running: Running) -> None:
    key = running.keys.issue("sms:send")
    headers = [("Authorization", f"Bearer {key}")] * 2
    assert refusal(await running.http.post(SEND, json=SMS, headers=headers)) == NOT_VALID


async def test_unknown_and_expired_keys_are_told_apart_for_nobody(running: Running) -> None:
    unknown = api_key.generate(AccessMode.LIVE).text
    expired = running.keys.issue("sms:send", expires_time=at("2024-12-15T08:00:00Z"))
    answers = [await sent(running, key) for key in (unknown, expired)]
    assert [refusal(answer) for answer in answers] == [NOT_VALID, NOT_VALID]
    assert len({answer.json()["detail"] for answer in answers}) == 1


async def test_a_key_sends_for_its_account_and_messaging_is_told_whose_it_is(running: Running) -> None:
    key = running.keys.issue("sms:send")
    assert (await sent(running, key)).status_code == 200
    [batch] = running.messaging.batches
    [principal] = batch.principals
    assert principal.id == api_key.parse(key).id
    assert list(principal.accounts) == ["user123"]
    assert batch.items[0].principal_index == 0
    # Names of schemes have no case.
    response = await running.http.post(SEND, json=SMS, headers={"Authorization": f"bearer {key}"})
    assert response.status_code == 200
    assert set(running.keys.questions) == {principal.id}


async def test_a_foreign_account_is_refused_and_nothing_is_sent(running: Running) -> None:
    response = await sent(running, running.keys.issue("sms:send"), userId="user456")
    assert refusal(response) == (403, "PERMISSION_DENIED", None)
    assert "user456" not in response.text
    assert running.messaging.batches == []


async def test_a_scope_that_is_missing_is_named(running: Running) -> None:
    response = await sent(running, running.keys.issue("sms:read", "accounts:read"))
    challenge = 'Bearer error="insufficient_scope", scope="sms:send"'
    assert refusal(response) == (403, "PERMISSION_DENIED", challenge)
    assert "sms:send" in response.json()["detail"]


async def test_a_service_is_told_for_whom_it_is_asked(running: Running) -> None:
    key = running.keys.issue("accounts:read", accounts=frozenset({"user123", "user124"}))
    assert (await running.http.get(BALANCE, headers=bearer(key))).status_code == 200
    principal = running.accounts.caller
    assert principal is not None
    assert (principal.id, principal.kind) == (api_key.parse(key).id, PrincipalKind.API_KEY)
    assert principal.accounts == frozenset({"user123", "user124"})
    response = await running.http.get("/api/sms/balance?userId=user456", headers=bearer(key))
    assert refusal(response) == (403, "PERMISSION_DENIED", None)
    assert len(running.accounts.requests) == 1


async def test_what_is_for_all_accounts_is_for_callers_that_act_for_all(running: Running) -> None:
    body = {"userId": "user123", "amount": 500, "reference": "QK12ABC3DE"}
    top_up = "/api/sms/balance/top-ups"
    one, everything = running.keys.issue("*"), running.keys.issue("*", accounts=None)
    refused = await running.http.post(top_up, json=body, headers=bearer(one))
    assert refusal(refused) == (403, "PERMISSION_DENIED", None)
    assert running.accounts.requests == []
    assert (await running.http.post(top_up, json=body, headers=bearer(everything))).status_code == 201


async def test_a_list_for_all_accounts_is_for_callers_that_act_for_all(running: Running) -> None:
    one, everything = running.keys.issue("*"), running.keys.issue("*", accounts=None)
    listed = "/api/sms/suppressions"
    assert (await running.http.get(listed, headers=bearer(one))).status_code == 403
    assert (await running.http.get(f"{listed}?userId=user123", headers=bearer(one))).status_code == 200
    assert (await running.http.get(listed, headers=bearer(everything))).status_code == 200


async def test_each_sms_of_a_batch_is_for_an_account_of_the_key(running: Running) -> None:
    key = running.keys.issue("sms:send")
    messages = [SMS | {"messageId": f"m{number}", "userId": f"user{122 + number}"} for number in range(3)]
    response = await running.http.post("/api/sms/send-batch", json={"messages": messages}, headers=bearer(key))
    assert response.status_code == 207
    assert [one["httpStatus"] for one in response.json()["results"]] == [403, 200, 403]
    [batch] = running.messaging.batches
    assert [item.user_id for item in batch.items] == ["user123"]
    assert len(batch.principals) == 1


async def test_a_revoked_key_is_refused_from_its_next_request_on(running: Running) -> None:
    key, other = running.keys.issue("sms:send"), running.keys.issue("sms:send")
    assert (await sent(running, key)).status_code == (await sent(running, other)).status_code == 200
    running.keys.revoke(key)

    async def is_refused() -> bool:
        return (await sent(running, key)).status_code == 401

    async with asyncio.timeout(2):
        await eventually("the key is refused", is_refused)
    assert (await sent(running, other)).status_code == 200


async def test_a_watch_that_says_nothing_is_given_up_and_a_revoked_key_is_refused_all_the_same(
    running: Running,
) -> None:
    key = running.keys.issue("sms:send")
    assert (await sent(running, key)).status_code == 200
    running.keys.is_silent = True
    running.keys.revoke(key)

    async def is_refused() -> bool:
        return (await sent(running, key)).status_code == 401

    # The longest silence, and the second for which a key that is not watched is known.
    await eventually("the key is refused", is_refused, deadline_s=SILENCE_S + UNWATCHED_S + 1)


async def test_known_keys_go_on_while_nobody_can_tell_and_unknown_ones_are_turned_away(running: Running) -> None:
    known, unknown = running.keys.issue("sms:send"), running.keys.issue("sms:send")
    assert (await sent(running, known)).status_code == 200
    running.keys.failure = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "the database is away")
    running.keys.cut_watches()
    response = await sent(running, unknown)
    assert refusal(response) == (503, "MESSAGING_UNAVAILABLE", None)
    assert response.headers["retry-after"] == "1"
    assert (await sent(running, known)).status_code == 200
    running.keys.failure = None
    assert (await sent(running, unknown)).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        {"networks": ["nonsense"]},
        {"principal": common.Principal(id="tk_live_another1", kind=KIND, all_accounts=True, mode=MODE)},
        {"principal": common.Principal(id="", kind=KIND, all_accounts=True, mode=MODE)},
    ],
)
async def test_an_answer_about_a_key_that_means_nothing_lets_nobody_in(
    running: Running, answer: dict[str, Any]
) -> None:
    key = running.keys.issue("sms:send", **answer)
    assert refusal(await sent(running, key)) == (503, "MESSAGING_UNAVAILABLE", None)
    assert running.messaging.batches == []


async def test_a_key_is_valid_from_its_networks_only() -> None:
    async with running_gateway(settings(trusted_proxies=(ip_network("127.0.0.0/8"),))) as running:
        key = running.keys.issue("sms:send", networks=["203.0.113.0/24", "2001:db8::/32"])
        for address, status in (
            ("203.0.113.9", 200),
            ("2001:db8::1", 200),
            ("198.51.100.1", 403),
            # What the caller wrote itself counts for nothing.
            ("203.0.113.9, 198.51.100.1", 403),
            ("nonsense", 403),
        ):
            headers = bearer(key) | {"X-Forwarded-For": address}
            response = await running.http.post(SEND, json=SMS, headers=headers)
            assert response.status_code == status, address
            if status == 403:
                assert refusal(response) == (403, "PERMISSION_DENIED", None)
                assert "203.0.113" not in response.text


async def test_bad_credentials_are_limited_by_address_and_good_ones_never() -> None:
    only_three = settings(bad_credentials_per_minute=3, trusted_proxies=(ip_network("127.0.0.0/8"),))
    async with running_gateway(only_three) as running:
        good = running.keys.issue("sms:send")

        async def shown(credential: str, address: str) -> httpx.Response:
            headers = bearer(credential) | {"X-Forwarded-For": address}
            return await running.http.post(SEND, json=SMS, headers=headers)

        bad = [api_key.generate(AccessMode.LIVE).text, "garbage", good[:-1], "again"]
        assert [(await shown(one, "192.0.2.1")).status_code for one in bad] == [401, 401, 401, 429]
        limited = await shown("garbage", "192.0.2.1")
        assert refusal(limited) == (429, "TOO_MANY_BAD_CREDENTIALS", None)
        assert 1 <= int(limited.headers["retry-after"]) <= 20
        assert (await shown(good, "192.0.2.1")).status_code == 200
        assert (await shown("garbage", "192.0.2.2")).status_code == 401
        # No guess, so it is not counted.
        assert (await running.http.post(SEND, json=SMS)).status_code == 401
        figures = await figures_of(running)
        assert figures(REFUSED, cause="invalid") == 4
        assert figures(REFUSED, cause="limited") == 2
        assert figures(REFUSED, cause="missing") == 1
        # The good one, and the one that looks like a key.
        assert figures("tukupay_key_cache_misses_total") >= 2
        assert figures("tukupay_key_cache_keys", state="valid") == 1
        assert figures("tukupay_key_cache_staleness_seconds") < 20


async def test_probes_and_documentation_are_for_everybody(running: Running) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert (await running.http.get(path)).status_code == 200
    assert (await running.http.get("/", follow_redirects=False)).status_code == 307
    document = (await running.http.get("/openapi.json")).json()
    assert document["paths"][SEND]["post"]["security"] == [{"bearer": ["sms:send"]}]


async def test_every_other_route_is_for_nobody_without_a_credential(running: Running) -> None:
    for operation in OPERATIONS:
        if operation.access.is_public:
            continue
        path = operation.path.replace("{", "").replace("}", "")
        for headers, expected in (({}, MISSING), (bearer("garbage"), NOT_VALID)):
            response = await running.http.request(operation.method, path, headers=headers, content=b"{")
            assert refusal(response) == expected, operation.operation_id
        key = running.keys.issue("system:inspect", accounts=None)
        response = await running.http.request(operation.method, path, headers=bearer(key), content=b"{")
        assert response.status_code == 403, operation.operation_id
        assert response.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    parts = (running.messaging, running.pricing, running.accounts, running.webhooks, running.channels, running.alerts)
    assert [part.requests for part in (*parts, running.reports, running.suppressions, running.keys)] == [[]] * 9


async def test_every_answer_has_the_headers_that_keep_it_from_browsers_and_caches(running: Running) -> None:
    key = running.keys.issue("sms:send")
    answers = [
        await sent(running, key),
        await sent(running, "garbage"),
        await running.http.get("/docs"),
        await running.http.get("/nothing/here"),
        await running.http.request("CONNECT", "/"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200, 404, 501]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "x-sms-mode" not in answer.headers


async def test_an_open_gateway_says_so_in_every_answer() -> None:
    async with running_gateway() as running:
        for path in ("/healthz", BALANCE, "/nothing/here"):
            assert (await running.http.get(path)).headers["x-sms-mode"] == "open"
        assert running.accounts.caller is not None
        assert running.accounts.caller.kind is PrincipalKind.OPEN
        document = (await running.http.get("/openapi.json")).json()
        assert document["paths"][SEND]["post"]["security"] == [{}, {"bearer": ["sms:send"]}]


async def test_no_credential_is_logged_or_counted(running: Running) -> None:
    key, bad = running.keys.issue("sms:send"), api_key.generate(AccessMode.LIVE).text
    with capture_logs() as logs:
        assert structlog.is_configured()
        for credential in (key, bad, mistyped(key)):
            await sent(running, credential)
            await running.http.get(BALANCE, headers=bearer(credential))
        running.keys.failure = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "the database is away")
        await sent(running, running.keys.issue("sms:send"))
    text = f"{logs}{(await figures_of(running)).text}"
    for credential in (key, bad):
        assert credential[16:48] not in text
    assert ENTRY_ID not in text


async def test_a_service_that_refuses_the_gateway_itself_does_not_accuse_its_callers(running: Running) -> None:
    key = running.keys.issue("accounts:read")
    for failure in (
        ServiceError(Kind.UNAUTHENTICATED, "UNAUTHENTICATED", "the token is not valid"),
        ServiceError(Kind.PERMISSION_DENIED, "PERMISSION_DENIED", "no", metadata={"scope": "assert:principal"}),
    ):
        running.accounts.will_answer("GetAccount", failure)
        response = await running.http.get(BALANCE, headers=bearer(key))
        assert refusal(response) == (500, "INTERNAL", None)


async def test_whom_the_gateway_refuses_is_noted_in_the_audit_log(running: Running) -> None:
    audits = running.audits["messaging"]
    key = running.keys.issue("accounts:read")
    for path in (BALANCE.replace("user123", "other"), "/api/audit/entries", "/api/sms/outbox?userId=user123"):
        assert (await running.http.get(path, headers=bearer(key))).status_code == 403
        assert (await running.http.get(path, headers=bearer(key))).status_code == 403

    batch = {"messages": [SMS | {"messageId": "m1", "userId": "other"}]}
    sender = running.keys.issue("sms:send")
    assert (await sent(running, sender, userId="other")).status_code == 403
    response = await running.http.post("/api/sms/send-batch", json=batch, headers=bearer(sender))
    assert response.status_code == 207

    async def all_noted() -> bool:
        return len({call.method for call in audits.refused}) == 4

    await eventually("each cause is noted", all_noted)
    noted = {call.method: (call.scope if call.HasField("scope") else None) for call in audits.refused}
    assert noted == {
        "AccountService/GetAccount": None,
        "AuditService/ListAuditEntries": "audit:read",
        "MessagingService/ListOutboxEntries": "sms:read",
        "MessagingService/SendSmsBatch": None,
    }
    assert {(call.principal, call.principal_kind, call.origin) for call in audits.refused} == {
        (api_key.parse(one).id, "api_key", "127.0.0.1") for one in (key, sender)
    }
    assert all(call.request_id for call in audits.refused)
