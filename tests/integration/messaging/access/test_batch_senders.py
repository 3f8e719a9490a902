"""A batch of many callers: each item is sent by its own one, for accounts of its own, and through its own app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.principal_messages import from_principal
from service_kit.access.requirement import Access
from service_kit.errors import Kind
from tests.integration.messaging.running_service import Running, message, refusal_of, service_on
from tests.system.known_callers import KnownCallers, Metadata, asserting
from tests.system.messaging_database import rows
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

KEYS = 50


def key(number: int, *scopes: str, accounts: Sequence[str] | None = None, app: str | None = None) -> Principal:
    own = frozenset({f"shop{number}"} if accounts is None else accounts)
    return Principal(f"tk_live_{number:08}", PrincipalKind.API_KEY, own, frozenset(scopes or {"sms:send"}), app)


@pytest.fixture
def callers(tmp_path: Path) -> KnownCallers:
    return KnownCallers(tmp_path / "identities.toml")


@pytest.fixture
def gateway(callers: KnownCallers) -> Metadata:
    return callers.add("gateway", "assert:principal", kind="workload")


@pytest.fixture
async def service(database_url: str, callers: KnownCallers, gateway: Metadata) -> AsyncIterator[Running]:
    callers.add("shop", "sms:send", accounts=["shop"])
    async with service_on(database_url, window=300, access=Access.REQUIRED, identities_file=callers.path) as running:
        yield running


async def batch(
    service: Running, shown: Metadata, items: Sequence[pb.SendSmsRequest], principals: Sequence[Principal] = ()
) -> dict[int, pb.SendSmsBatchResult]:
    request = pb.SendSmsBatchRequest(items=items, principals=[from_principal(each) for each in principals])
    answers: dict[int, pb.SendSmsBatchResult] = {}
    async for response in service.sms.SendSmsBatch(request, metadata=shown):
        answers.update({result.index: result for result in response.results})
    return answers


async def test_of_256_sends_of_50_keys_exactly_those_for_foreign_accounts_are_refused(
    service: Running, gateway: Metadata, database_url: str
) -> None:
    foreign = set(range(7, 256, 25))
    items = [
        message(
            user_id=f"shop{(number + (number in foreign)) % KEYS}",
            message_id=f"m{number}",
            principal_index=number % KEYS,
        )
        for number in range(256)
    ]
    answers = await batch(service, gateway, items, [key(number) for number in range(KEYS)])
    assert len(foreign) == 10
    assert {index for index, answer in answers.items() if answer.HasField("error")} == foreign
    assert {answers[index].error.reason for index in foreign} == {"PERMISSION_DENIED"}
    assert {answers[index].error.code for index in foreign} == {7}
    assert len(service.carrier.submissions) == 246
    assert await rows(database_url, "SELECT count(*) FROM message") == [(246,)]


async def test_an_item_without_a_caller_that_may_send_it_fails_alone(service: Running, gateway: Metadata) -> None:
    items = [
        message(user_id="shop0", principal_index=0),
        message(user_id="shop0", principal_index=2),
        message(user_id="shop0"),
        message(user_id="shop1", principal_index=1),
    ]
    answers = await batch(service, gateway, items, [key(0), key(1, "sms:read")])
    assert answers[0].HasField("response")
    assert [violation.field for violation in answers[1].error.violations] == ["principal_index"]
    assert answers[2].error.metadata["scope"] == "sms:send"
    assert answers[3].error.metadata["scope"] == "sms:send"


async def test_only_who_may_vouch_names_other_callers(service: Running, callers: KnownCallers) -> None:
    shop = (("authorization", f"Bearer {callers.tokens['shop']}"),)
    alone = await batch(service, shop, [message(user_id="shop"), message(user_id="other")])
    assert alone[0].HasField("response")
    assert alone[1].error.reason == "PERMISSION_DENIED"
    request = pb.SendSmsBatchRequest(
        items=[message(user_id="other", principal_index=0)],
        principals=[from_principal(key(0, accounts=["other"]))],
    )
    refused = await refusal_of(anext(aiter(service.sms.SendSmsBatch(request, metadata=shop))))
    assert (refused.kind, refused.metadata) == (Kind.PERMISSION_DENIED, {"scope": "assert:principal"})
    without = await batch(service, shop, [message(user_id="shop", principal_index=0)])
    assert [violation.field for violation in without[0].error.violations] == ["principal_index"]


async def test_a_caller_that_is_none_fails_the_batch(service: Running, gateway: Metadata) -> None:
    request = pb.SendSmsBatchRequest(
        items=[message(principal_index=0)], principals=[from_principal(key(0)), from_principal(key(1))]
    )
    request.principals[1].id = ""
    refused = await refusal_of(anext(aiter(service.sms.SendSmsBatch(request, metadata=gateway))))
    assert [violation.field for violation in refused.violations] == ["principals[1]"]


async def test_messages_come_through_the_app_of_their_caller(service: Running, gateway: Metadata) -> None:
    items = [
        message(user_id="shop0", principal_index=0),
        message(user_id="shop0", principal_index=0, app_id="wallet"),
        message(user_id="shop0", principal_index=0, app_id="other"),
        message(user_id="shop1", principal_index=1, app_id="other"),
        message(user_id="shop1", principal_index=1),
        message(user_id="shop1", principal_index=2, app_id="other"),
    ]
    operator = Principal("operator:amina", PrincipalKind.OPERATOR, None, frozenset({"*"}), "wallet")
    answers = await batch(service, gateway, items, [key(0, app="wallet"), key(1), operator])
    apps = {index: answers[index].response.entry.app_id for index in (0, 1, 4, 5)}
    assert apps == {0: "wallet", 1: "wallet", 4: "", 5: "other"}
    assert {answers[index].error.reason for index in (2, 3)} == {"PERMISSION_DENIED"}


async def test_one_send_is_kept_to_the_accounts_and_the_app_of_its_caller(service: Running, gateway: Metadata) -> None:
    shown = gateway + asserting(key(0, app="wallet"))
    sent = await service.sms.SendSms(message(user_id="shop0"), metadata=shown)
    assert sent.entry.app_id == "wallet"
    for foreign in (message(user_id="shop1"), message(user_id="shop0", app_id="other")):
        assert (await refusal_of(service.sms.SendSms(foreign, metadata=shown))).kind is Kind.PERMISSION_DENIED
    quote = pb.QuoteSmsRequest(user_id="shop0", message="Hello", app_id="other")
    assert (await refusal_of(service.sms.QuoteSms(quote, metadata=shown))).kind is Kind.PERMISSION_DENIED
