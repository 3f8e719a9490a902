"""Limits of API keys, over all accounts that they send for."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from messaging_service.access.domain.key_record import KeyRecord
from messaging_service.access.domain.key_terms import KeyTerms
from messaging_service.access.key_store import KeptKey
from messaging_service.access.postgres.postgres_keys import PostgresKeys
from messaging_service.sending.outbox import Acceptance, Accepted
from service_kit.access.principal import AccessMode, Principal, PrincipalKind
from service_kit.access.principal_messages import from_principal
from service_kit.audit.actor import PLATFORM
from service_kit.errors import ServiceError
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import acceptance, refused
from tests.integration.messaging.conftest import MakeOutbox, record, sent
from tests.integration.messaging.running_service import Running, message
from tests.system.messaging_database import rows, until_found
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

CALLERS = 200
REPLICAS = 4
KEY = "tk_live_4fQ2bT9x"
SHOP = KeyTerms("shop", AccessMode.LIVE, None, None, frozenset({"sms:send"}), (), None, 3, None)
OTHER = "tk_live_9zzzzzzz"
UNIT = Decimal("0.6")


async def made(url: str, key: str = KEY, minute: int | None = None, spend: Decimal | None = None) -> None:
    """A key with limits."""
    await rows(
        url,
        "INSERT INTO api_key (id, sha256, name, mode, scopes, networks, messages_per_minute, daily_spend, created_at, "
        "created_by) VALUES (%s, %s, 'shop', 'live', '{sms:send}', '{}', %s, %s, now(), 'op')",
        (key, key.encode().ljust(32), minute, spend),
    )


def by(key: str, **changes: Any) -> Acceptance:
    """A request that comes with a key."""
    return replace(acceptance(**changes), api_key=key)


@pytest.fixture
async def replicas(make_outbox: MakeOutbox) -> list[Replica]:
    return [await make_outbox(f"replica-{number}") for number in range(REPLICAS)]


@pytest.fixture
async def minute(database_url: str) -> None:
    """Returns when the minute of the database goes on for 15 s at least."""
    await until_found(database_url, "SELECT 1 WHERE extract(second FROM now()) < 45")


@pytest.mark.usefixtures("minute")
@pytest.mark.parametrize(
    ("minute_limit", "spend", "reason"),
    [(7, None, "KEY_RATE_LIMIT_REACHED"), (None, UNIT * 8 - Decimal("0.01"), "KEY_DAILY_SPEND_LIMIT_REACHED")],
    ids=["minute", "spend"],
)
async def test_two_hundred_callers_of_many_accounts_exceed_no_limit_of_their_key(
    replicas: list[Replica], database_url: str, minute_limit: int | None, spend: Decimal | None, reason: str
) -> None:
    await made(database_url, minute=minute_limit, spend=spend)
    await made(database_url, OTHER, minute=50)
    await made(database_url, "tk_live_nolimits")

    async def call(number: int) -> Accepted | ServiceError:
        # Accounts and keys in every order, also several in one transaction.
        batch = [by((KEY, OTHER)[(number + step) % 2], user_id=f"shop{(number * 7 + step) % 5}") for step in range(3)]
        answers = await replicas[number % REPLICAS].accept(batch)
        outcomes.update(
            (item.api_key, answer.reason if isinstance(answer, ServiceError) else "accepted")
            for item, answer in zip(batch, answers, strict=True)
        )
        return answers[0]

    outcomes: Counter[tuple[str | None, str]] = Counter()
    await asyncio.gather(*(call(number) for number in range(CALLERS)))
    allowed = {KEY: 7, OTHER: 50}
    for key in (KEY, OTHER):
        assert outcomes[key, "accepted"] == allowed[key]
    assert outcomes[KEY, reason] == 300 - 7
    assert outcomes[OTHER, "KEY_RATE_LIMIT_REACHED"] == 300 - 50
    assert await rows(database_url, "SELECT count(*) FROM message") == [(57,)]
    assert await rows(database_url, "SELECT count(*) FROM idempotency") == [(57,)]
    assert sorted(await rows(database_url, "SELECT minute_count FROM api_key_usage")) == [(7,), (50,)]


async def test_a_refusal_names_the_policy_and_when_it_ends(outbox: Replica, database_url: str) -> None:
    await made(database_url, minute=1)
    await record(outbox, by(KEY))
    (answer,) = await outbox.accept([by(KEY)])
    assert isinstance(answer, ServiceError)
    assert answer.retry_after is not None
    assert answer.retry_after.total_seconds() <= 60
    named = {name: answer.metadata[name] for name in ("policy", "limit", "window_s", "key")}
    assert named == {"policy": "key-minute", "limit": "1", "window_s": "60", "key": KEY}


async def test_counts_end_with_their_minute_and_day(outbox: Replica, database_url: str) -> None:
    await made(database_url, minute=1, spend=UNIT)
    await record(outbox, by(KEY))
    await rows(database_url, "UPDATE api_key_usage SET counted_minute = counted_minute - interval '1 minute'")
    (answer,) = await outbox.accept([by(KEY)])
    assert isinstance(answer, ServiceError)
    assert answer.reason == "KEY_DAILY_SPEND_LIMIT_REACHED"
    await rows(database_url, "UPDATE api_key_usage SET spend_day = spend_day - 1")
    await record(outbox, by(KEY))


async def test_a_limit_that_is_raised_counts_at_once_and_other_callers_have_none(
    outbox: Replica, database_url: str
) -> None:
    await made(database_url, minute=1)
    await record(outbox, by(KEY))
    await record(outbox, acceptance())
    await record(outbox, by("tk_live_unknown0"))
    await rows(database_url, "UPDATE api_key SET messages_per_minute = 100")
    await record(outbox, by(KEY))


async def test_what_the_account_cannot_pay_counts_for_no_key(outbox: Replica, database_url: str) -> None:
    await made(database_url, minute=1)
    await rows(database_url, "INSERT INTO account (id, mode) VALUES ('user123', 'prepaid')")
    (answer,) = await outbox.accept([by(KEY)])
    assert isinstance(answer, ServiceError)
    assert answer.reason == "INSUFFICIENT_FUNDS"
    assert await rows(database_url, "SELECT minute_count FROM api_key_usage") == [(0,)]


async def test_each_item_of_a_shared_batch_counts_for_its_own_key(service: Running, database_url: str) -> None:
    await made(database_url, minute=2)
    senders = [
        Principal(key, PrincipalKind.API_KEY, frozenset({"user123"}), frozenset({"sms:send"})) for key in (KEY, OTHER)
    ]
    batch = pb.SendSmsBatchRequest(
        items=[message(principal_index=number % 2) for number in range(10)],
        principals=[from_principal(sender) for sender in senders],
    )
    refusals = [
        (result.index % 2, result.error.reason, result.error.HasField("retry_delay"))
        async for response in service.sms.SendSmsBatch(batch)
        for result in response.results
        if result.HasField("error")
    ]
    assert refusals == [(0, "KEY_RATE_LIMIT_REACHED", True)] * 3


async def test_a_resend_counts_for_the_key_that_asks_for_it(outbox: Replica, database_url: str) -> None:
    await made(database_url, minute=1)
    failed = await sent(outbox, refused())
    await outbox.resend(failed.id, max_retries=3, accounts=None, api_key=KEY)
    (answer,) = await outbox.accept([by(KEY)])
    assert isinstance(answer, ServiceError)
    other = await sent(outbox, refused())
    with pytest.raises(ServiceError) as caught:
        await outbox.resend(other.id, max_retries=3, accounts=None, api_key=KEY)
    assert caught.value.reason == "KEY_RATE_LIMIT_REACHED"


async def test_keys_that_replaced_one_another_have_one_share(outbox: Replica, database_url: str) -> None:
    now = datetime.now(UTC)
    old, new, newest = (
        KeptKey(KeyRecord(key, SHOP, now, "op"), key.encode().ljust(32)) for key in (KEY, OTHER, "tk_live_newest00")
    )
    async with create_pool(database_url, "keys") as pool:
        keys = PostgresKeys(pool)
        await keys.add(old, actor=PLATFORM)
        for before, after in ((old, new), (new, newest)):
            assert await keys.replace(before.record.id, after, now + timedelta(hours=1), actor=PLATFORM) is not None
    await record(outbox, by(KEY))
    answers = await outbox.accept([by(OTHER), by(newest.record.id), by(KEY), by(OTHER)])
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False, False]
    assert await rows(database_url, "SELECT key_id, minute_count FROM api_key_usage") == [(KEY, 3)]
