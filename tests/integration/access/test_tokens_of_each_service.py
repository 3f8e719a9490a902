"""A token of an identity provider opens the gateway, messaging and pricing, where their settings trust its issuer."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway_http.settings import REQUIRED, GatewaySettings
from pricing_service.adapters.migrate import migrate
from service_kit.access.requirement import Access
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.errors import Kind
from service_kit.settings import SettingsError, load
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.doubles.token_issuer import TokenIssuer, published, trust
from tests.integration.gateway.conftest import ANY_PORT, running_gateway
from tests.integration.messaging.running_service import message, refusal_of, service_on
from tests.integration.pricing.conftest import pricing_on
from tests.system.known_callers import KnownCallers, showing
from tests.system.messaging_database import empty_database
from tukupay.sms.messaging.v1 import messaging_pb2
from tukupay.sms.pricing.v1 import pricing_pb2

SMS = {
    "userId": "shop",
    "recipientPhoneNumber": "+254712345678",
    "message": "Your parcel has arrived.",
    "senderId": "TUKUPAY",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "issuers.toml"


@pytest.fixture
async def issuer(file: Path) -> AsyncIterator[TokenIssuer]:
    async with published(TokenIssuer(), file) as issuer:
        yield issuer


@pytest.fixture
def required(tmp_path: Path, file: Path) -> dict[str, Any]:
    callers = KnownCallers(tmp_path / "identities.toml")
    callers.add("jane", "*")
    return {"access": Access.REQUIRED, "identities_file": callers.path, "issuers_file": file}


def token_of(issuer: TokenIssuer, **claims: Any) -> str:
    now = int(time.time())
    return issuer.token(**{"iat": now, "exp": now + 60, "accounts": ["shop"], "scope": "openid sms:send", **claims})


async def test_the_gateway_takes_it_and_names_its_caller(issuer: TokenIssuer, file: Path) -> None:
    settings = GatewaySettings(http_address=ANY_PORT, access=REQUIRED, issuers_file=file)
    async with running_gateway(settings) as running:

        async def sent(token: str) -> tuple[int, str | None]:
            response = await running.http.post("/api/sms/send", json=SMS, headers={"Authorization": f"Bearer {token}"})
            return response.status_code, response.json().get("reason")

        good = token_of(issuer)
        assert [await sent(good) for _ in range(3)] == [(200, None)] * 3
        (principal,) = running.messaging.batches[-1].principals
        assert principal.id == "staff:alice"
        assert (list(principal.accounts), list(principal.scopes)) == (["shop"], ["sms:send"])
        assert await sent(token_of(issuer, exp=int(time.time()) - 3_600)) == (401, "UNAUTHENTICATED")
        assert await sent(token_of(issuer, aud="other")) == (401, "UNAUTHENTICATED")
        assert await sent(token_of(issuer, scope="sms:read")) == (403, "PERMISSION_DENIED")
        assert (await sent(good + "x" * 20_000))[0] in {401, 431}
    assert issuer.fetches == 1


async def test_while_its_issuer_is_away_a_token_is_neither_right_nor_wrong(issuer: TokenIssuer, file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}/jwks"
    trust(issuer, file, away)
    async with running_gateway(GatewaySettings(http_address=ANY_PORT, access=REQUIRED, issuers_file=file)) as running:
        headers = {"Authorization": f"Bearer {token_of(issuer)}"}
        response = await running.http.post("/api/sms/send", json=SMS, headers=headers)
        assert (response.status_code, response.json()["reason"]) == (503, "IDENTITY_PROVIDER_UNAVAILABLE")
        assert int(response.headers["retry-after"]) >= 1
        assert running.messaging.batches == []


async def test_messaging_takes_it_over_grpc(
    issuer: TokenIssuer,
    required: dict[str, Any],
    postgres_server: EmbeddedPostgres,
    database_template: DatabaseTemplate,
) -> None:
    async with service_on(empty_database(postgres_server, database_template), **required) as service:
        mine = showing(token_of(issuer, scope="sms:send sms:read"))
        entry = (await service.sms.SendSms(message(user_id="shop"), metadata=mine)).entry
        shown = messaging_pb2.GetOutboxEntryRequest(outbox_id=entry.outbox_id)
        assert (await service.sms.GetOutboxEntry(shown, metadata=mine)).entry.user_id == "shop"
        others = showing(token_of(issuer, scope="sms:send sms:read", accounts=["till"]))
        assert (await refusal_of(service.sms.GetOutboxEntry(shown, metadata=others))).kind is Kind.NOT_FOUND
        foreign = service.sms.SendSms(message(user_id="shop"), metadata=others)
        assert (await refusal_of(foreign)).kind is Kind.PERMISSION_DENIED
        expired = showing(token_of(issuer, exp=int(time.time()) - 3_600))
        late = service.sms.SendSms(message(user_id="shop"), metadata=expired)
        assert (await refusal_of(late)).kind is Kind.UNAUTHENTICATED


async def test_pricing_takes_it_over_grpc(
    issuer: TokenIssuer, required: dict[str, Any], database_template: DatabaseTemplate, fresh_database: FreshDatabase
) -> None:
    url = fresh_database(template=database_template("pricing_template", migrate))
    request = pricing_pb2.ResolvePriceRequest(customer_id="shop")
    async with pricing_on(url, **required) as pricing:
        await pricing.until_serving()
        reader = showing(token_of(issuer, scope="prices:read"))
        assert (await refusal_of(pricing.stub.ResolvePrice(request, metadata=reader))).reason == "NO_PRICE"
        sender = showing(token_of(issuer))
        assert (await refusal_of(pricing.stub.ResolvePrice(request, metadata=sender))).kind is Kind.PERMISSION_DENIED


@pytest.fixture
def wrong(file: Path) -> Path:
    file.write_text("issuers = []")
    return file


async def test_a_wrong_issuers_file_keeps_the_gateway_from_starting(wrong: Path) -> None:
    with pytest.raises(SettingsError, match="at least one"):
        async with running_gateway(GatewaySettings(http_address=ANY_PORT, access=REQUIRED, issuers_file=wrong)):
            pass


def test_an_issuers_file_of_an_open_gateway_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="GATEWAY_ACCESS: is open"):
        load(GatewaySettings, {"GATEWAY_ISSUERS_FILE": "issuers.toml"})
