"""Calling messaging itself with an API key, where access is required."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service_kit.access.api_key import generate
from service_kit.access.principal import AccessMode
from service_kit.access.requirement import Access
from service_kit.errors import Kind
from service_kit.grpc.authentication import KEPT_S
from tests.integration.messaging.access.keys_at_work import terms
from tests.integration.messaging.running_service import Running, message, refusal_of, service_on
from tests.system.known_callers import KnownCallers, Metadata
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import access_pb2 as pb
from tukupay.sms.messaging.v1 import access_pb2_grpc

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def callers(tmp_path: Path) -> KnownCallers:
    return KnownCallers(tmp_path / "identities.toml")


@pytest.fixture
def operator(callers: KnownCallers) -> Metadata:
    return callers.add("amina", "*")


@pytest.fixture
async def service(database_url: str, callers: KnownCallers, operator: Metadata) -> AsyncIterator[Running]:
    async with service_on(database_url, access=Access.REQUIRED, identities_file=callers.path) as running:
        yield running


def bearer(secret: str) -> Metadata:
    return (("authorization", f"Bearer {secret}"),)


def keys_of(service: Running) -> access_pb2_grpc.AccessServiceAsyncStub:
    return access_pb2_grpc.AccessServiceStub(service.channel)


async def made(service: Running, operator: Metadata, **fields: Any) -> pb.CreateKeyResponse:
    return await keys_of(service).CreateKey(pb.CreateKeyRequest(terms=terms(**fields)), metadata=operator)


async def test_a_key_sends_for_its_accounts_and_does_nothing_else(service: Running, operator: Metadata) -> None:
    key = await made(service, operator)
    assert key.key.created_by == "operator:amina"
    sent = await service.sms.SendSms(message(user_id="shop"), metadata=bearer(key.secret))
    assert sent.entry.user_id == "shop"
    foreign = await refusal_of(service.sms.SendSms(message(user_id="other"), metadata=bearer(key.secret)))
    assert foreign.kind is Kind.PERMISSION_DENIED
    more = await refusal_of(made(service, bearer(key.secret)))
    assert more.metadata == {"scope": "keys:write"}


async def test_a_key_that_may_make_keys_makes_none_that_may_do_more(service: Running, operator: Metadata) -> None:
    maker = await made(service, operator, accounts=[], all_accounts=True, scopes=["keys:write", "sms:read"])
    error = await refusal_of(made(service, bearer(maker.secret)))
    assert (error.kind, error.metadata) == (Kind.PERMISSION_DENIED, {"scope": "sms:send"})
    lesser = await made(service, bearer(maker.secret), scopes=["sms:read"])
    assert lesser.key.created_by == maker.key.key_id
    # A stronger key is not taken over by rotating it.
    strong = await made(service, operator)
    rotation = pb.RotateKeyRequest(key_id=strong.key.key_id)
    error = await refusal_of(keys_of(service).RotateKey(rotation, metadata=bearer(maker.secret)))
    assert error.kind is Kind.PERMISSION_DENIED


async def test_a_key_resolves_no_keys(service: Running, operator: Metadata) -> None:
    key = await made(service, operator, accounts=[], all_accounts=True, scopes=["*"])
    asked = keys_of(service).ResolveKey(pb.ResolveKeyRequest(key_id=key.key.key_id), metadata=bearer(key.secret))
    assert (await refusal_of(asked)).metadata == {"scope": "keys:resolve"}


async def test_keys_that_are_not_valid_are_refused_alike(service: Running, operator: Metadata) -> None:
    elsewhere = await made(service, operator, networks=["192.0.2.0/24"])
    revoked = await made(service, operator)
    revocation = pb.RevokeKeyRequest(key_id=revoked.key.key_id)
    assert (await keys_of(service).RevokeKey(revocation, metadata=operator)).key.revoked_by == "operator:amina"
    unknown = generate(AccessMode.LIVE).text
    refused = [
        await refusal_of(service.sms.SendSms(message(user_id="shop"), metadata=bearer(secret)))
        for secret in (elsewhere.secret, revoked.secret, unknown)
    ]
    assert {error.kind for error in refused} == {Kind.UNAUTHENTICATED}
    assert len({error.message for error in refused}) == 1
    mistyped = await refusal_of(service.sms.SendSms(message(), metadata=bearer(unknown[:-1])))
    assert mistyped.kind is Kind.UNAUTHENTICATED
    assert "mistyped" in mistyped.message
    here = await made(service, operator, networks=["127.0.0.0/8"])
    await service.sms.SendSms(message(user_id="shop"), metadata=bearer(here.secret))


async def test_a_key_in_use_is_refused_soon_after_it_was_revoked(service: Running, operator: Metadata) -> None:
    key = await made(service, operator)
    await service.sms.SendSms(message(user_id="shop"), metadata=bearer(key.secret))
    await keys_of(service).RevokeKey(pb.RevokeKeyRequest(key_id=key.key.key_id), metadata=operator)

    async def is_refused() -> bool:
        try:
            await refusal_of(service.sms.SendSms(message(user_id="shop"), metadata=bearer(key.secret)))
        except (AssertionError, pytest.fail.Exception):
            return False
        return True

    await eventually("refused", is_refused, deadline_s=2 * KEPT_S)
