"""Every route of the document, asked as everybody: the rule of each is applied before a service is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway_http.openapi.operation import BodyOperation, Operation
from gateway_http.rest_api import OPERATIONS
from gateway_http.settings import REQUIRED, GatewaySettings
from service_kit.access import api_key
from service_kit.access.method_rules import Tenancy
from service_kit.access.principal import AccessMode
from tests.doubles.gateway_doubles import Scripted, at
from tests.integration.gateway.conftest import ANY_PORT, Running, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUARDED = [operation for operation in OPERATIONS if not operation.access.is_public]
# Of what belongs to an account only the service knows whose it is; of the others the request says it.
SAID_BY_THE_SERVICE = {Tenancy.OWNED_ID, Tenancy.NO_ACCOUNT}

by_operation = pytest.mark.parametrize("operation", [pytest.param(one, id=one.operation_id) for one in GUARDED])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway() -> AsyncIterator[Running]:
    settings = GatewaySettings(http_address=ANY_PORT, access=REQUIRED, bad_credentials_per_minute=1_000)
    async with running_gateway(settings) as everything:
        yield everything


@pytest.fixture
def running(shared_gateway: Running) -> Running:
    for double in doubles(shared_gateway):
        double.forget()
    shared_gateway.callers.ids.clear()
    return shared_gateway


def doubles(running: Running) -> list[Scripted]:
    return [part for part in vars(running).values() if isinstance(part, Scripted)]


async def asked(running: Running, operation: Operation, credential: str | None) -> httpx.Response:
    """The answer to a good request with a credential."""
    path = operation.path
    query: dict[str, Any] = {}
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        elif parameter["in"] == "query" and parameter["required"]:
            query[parameter["name"]] = _value_of(parameter)
    if "period" in operation.names("query"):
        query["period"] = "2026-10"
    body = None
    if isinstance(operation, BodyOperation):
        body = next(iter(operation.body_examples.values()))
    headers = {"Idempotency-Key": "k"} if "Idempotency-Key" in operation.names("header") else {}
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    return await running.http.request(operation.method, path, params=query, json=body, headers=headers)


def _value_of(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    values = {"userId": "user123", "customerId": "user123", "groupBy": "day", "level": "TukuPay"}
    return str(values.get(parameter["name"]) or next(iter(schema.get("enum", [])), "words"))


def were_asked(running: Running) -> bool:
    """Whether any service was."""
    return bool(running.callers.ids or running.messaging.batches)


@by_operation
@pytest.mark.parametrize(
    "credential",
    [
        pytest.param(lambda _keys: None, id="none"),
        pytest.param(lambda _keys: "garbage", id="garbage"),
        pytest.param(lambda _keys: api_key.generate(AccessMode.LIVE).text, id="unknown or revoked"),
        pytest.param(
            lambda keys: keys.issue("*", accounts=None, expires_time=at("2024-12-15T08:00:00Z")), id="expired"
        ),
    ],
)
async def test_nobody_is_asked_for_a_caller_that_is_not_known(
    running: Running, operation: Operation, credential: Callable[[Any], str | None]
) -> None:
    response = await asked(running, operation, credential(running.keys))
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert not were_asked(running)


@by_operation
async def test_nobody_is_asked_for_a_caller_without_the_scope(running: Running, operation: Operation) -> None:
    others = [scope for scope in ("sms:read", "sms:send", "carriers:read") if scope not in operation.access.scopes]
    response = await asked(running, operation, running.keys.issue(*others, accounts=None))
    assert response.status_code == 403
    assert f'scope="{operation.access.scopes[0]}"' in response.headers["www-authenticate"]
    assert not were_asked(running)


@by_operation
async def test_nobody_is_asked_for_an_account_of_others(running: Running, operation: Operation) -> None:
    response = await asked(running, operation, running.keys.issue("*", accounts=frozenset({"other"})))
    tenancies = {rule.tenancy for rule in operation.access.rules.values()}
    if tenancies <= SAID_BY_THE_SERVICE:
        assert response.status_code not in {401, 403}
        return
    if response.status_code == 207:
        assert {one["httpStatus"] for one in response.json()["results"]} == {403}
    else:
        assert (response.status_code, response.json()["reason"]) == (403, "PERMISSION_DENIED")
    assert not were_asked(running)


@by_operation
async def test_who_may_is_answered_and_the_services_are_told_who_it_is(running: Running, operation: Operation) -> None:
    key = running.keys.issue(*operation.access.scopes, accounts=None)
    response = await asked(running, operation, key)
    assert response.status_code not in {400, 401, 403, 405, 415, 500, 501}
    assert were_asked(running)
    told = {principal.id for batch in running.messaging.batches for principal in batch.principals}
    assert {*told, *running.callers.ids} == {api_key.parse(key).id}
