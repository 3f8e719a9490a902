"""Limits that count phones, countries and blocks of numbers, in the transaction that accepts messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from messaging_service.accounts.domain.account import AccountMode
from messaging_service.accounts.domain.account_limits import AccountLimits, PumpingGuard
from messaging_service.sending.outbox import Accepted
from service_kit.audit.actor import PLATFORM
from service_kit.errors import ServiceError
from tests.contract.sms_examples import ACCOUNT, RECIPIENT, acceptance, refused
from tests.integration.messaging.conftest import MakeOutbox, record, sent
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(60)

CALLERS = 200
REPLICAS = 4
Answers = Sequence[Accepted | ServiceError]


async def opened(outbox: Replica, **limits: Any) -> None:
    """The account with these limits."""
    await outbox.accounts.open(ACCOUNT, AccountMode.POSTPAID, Decimal(0), AccountLimits(**limits), actor=PLATFORM)


def reasons_of(answers: Answers) -> list[str]:
    """Why requests were refused, in order; accepted ones are left out."""
    return [answer.reason for answer in answers if isinstance(answer, ServiceError)]


def in_block(places: Iterable[int], block: str = "+254712345") -> list[str]:
    """Numbers of a block by their last 3 digits."""
    return [f"{block}{place:03}" for place in places]


async def race(replicas: Sequence[Replica], **changes: Any) -> Answers:
    """Many callers at several replicas, each in a transaction of its own."""
    calls = [replicas[number % len(replicas)].accept([acceptance(**changes)]) for number in range(CALLERS)]
    return [answer for (answer,) in await asyncio.gather(*calls)]


@pytest.fixture
async def replicas(make_outbox: MakeOutbox) -> list[Replica]:
    return [await make_outbox(f"replica-{number}") for number in range(REPLICAS)]


@pytest.mark.parametrize(
    ("limits", "tags", "allowed"),
    [
        ({"messages_per_recipient_window": 7}, (), 7),
        ({"otps_per_recipient_window": 3}, ("otp",), 3),
        ({}, ("login", "otp"), 5),
        ({"messages_per_recipient_window": 4, "otps_per_recipient_window": 6}, ("otp",), 4),
    ],
    ids=["all", "otps", "default", "both"],
)
async def test_two_hundred_callers_at_four_replicas_exceed_no_window_by_anything(
    replicas: list[Replica], limits: dict[str, Any], tags: tuple[str, ...], allowed: int, database_url: str
) -> None:
    await opened(replicas[0], **limits)
    answers = await race(replicas, tags=tags)
    assert reasons_of(answers) == ["RECIPIENT_LIMIT_REACHED"] * (CALLERS - allowed)
    assert await rows(database_url, "SELECT count(*) FROM message") == [(allowed,)]
    assert await rows(database_url, "SELECT count(*) FROM idempotency") == [(allowed,)]


async def test_two_hundred_callers_at_four_replicas_get_no_further_into_a_pumped_block(
    replicas: list[Replica], database_url: str
) -> None:
    await opened(replicas[0], pumping=PumpingGuard.BLOCK)
    # Never two that follow one another, so that only their number tells.
    places = [number * 3 for number in range(CALLERS)]
    calls = [
        replicas[place % REPLICAS].accept([acceptance(recipient_phone_number=phone)])
        for place, phone in zip(places, in_block(places), strict=True)
    ]
    answers = [answer for (answer,) in await asyncio.gather(*calls)]
    assert reasons_of(answers) == ["PUMPING_SUSPECTED"] * (CALLERS - 29)
    assert await rows(database_url, "SELECT 1 FROM number_block_hour") == []
    for replica in replicas:
        await replica.hours.write()
    counted = await rows(database_url, "SELECT sent, refused FROM number_block_hour")
    assert (sum(sent for sent, _ in counted), sum(no for _, no in counted)) == (29, CALLERS - 29)


async def test_one_batch_is_counted_as_many_calls_are(outbox: Replica) -> None:
    await opened(outbox, messages_per_recipient_window=2)
    other = acceptance(recipient_phone_number="+254712345679")
    answers = await outbox.accept([acceptance(), acceptance(), acceptance(), other])
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False, True]


async def test_a_window_slides_so_that_an_edge_lets_nothing_more_through(outbox: Replica, database_url: str) -> None:
    await opened(outbox, messages_per_recipient_window=2)

    async def passes(seconds: float) -> None:
        moved = "UPDATE recipient_window SET sent_us = ARRAY(SELECT at - %s::bigint FROM unnest(sent_us) AS at)"
        await rows(database_url, moved, (int(seconds * 1e6),))

    async def refusal() -> ServiceError:
        (answer,) = await outbox.accept([acceptance()])
        assert isinstance(answer, ServiceError), answer
        return answer

    await record(outbox, acceptance())
    await passes(400)
    await record(outbox, acceptance())
    error = await refusal()
    assert error.retry_after is not None
    assert 190 < error.retry_after.total_seconds() <= 200
    assert (error.metadata["limit"], error.metadata["window_s"], error.metadata["policy"]) == (
        "2",
        "600",
        "recipient-all",
    )
    await passes(199)
    await refusal()
    await passes(1.1)
    await record(outbox, acceptance())
    await refusal()


async def test_only_messages_with_the_tag_are_one_time_codes(outbox: Replica, database_url: str) -> None:
    await opened(outbox)
    for tags in ((), ("code",), ("otps",)):
        answers = await outbox.accept([acceptance(tags=tags) for _ in range(10)])
        assert reasons_of(answers) == []
    assert await rows(database_url, "SELECT 1 FROM recipient_window UNION ALL SELECT 1 FROM number_block") == []
    assert len(reasons_of(await outbox.accept([acceptance(tags=("otp",)) for _ in range(10)]))) == 5


async def test_an_account_sends_to_its_own_countries_alone(outbox: Replica, database_url: str) -> None:
    await opened(outbox, destinations=("UG",))
    (answer,) = await outbox.accept([acceptance()])
    assert isinstance(answer, ServiceError)
    assert (answer.reason, RECIPIENT in answer.message) == ("DESTINATION_NOT_ALLOWED", False)
    await record(outbox, acceptance(recipient_phone_number="+256712345678"))
    assert await rows(database_url, "SELECT count(*) FROM message") == [(1,)]


async def test_what_an_account_cannot_pay_is_not_counted(outbox: Replica, database_url: str) -> None:
    limits = AccountLimits(messages_per_recipient_window=5, pumping=PumpingGuard.ALERT)
    await outbox.accounts.open(ACCOUNT, AccountMode.PREPAID, Decimal(0), limits, actor=PLATFORM)
    assert reasons_of(await outbox.accept([acceptance()])) == ["INSUFFICIENT_FUNDS"]
    await outbox.hours.write()
    assert await rows(database_url, "SELECT 1 FROM recipient_window") == []
    assert await rows(database_url, "SELECT 1 FROM number_block_hour") == []


async def test_of_a_thousand_pumped_numbers_in_a_row_seven_leave(outbox: Replica, database_url: str) -> None:
    await opened(outbox, pumping=PumpingGuard.BLOCK)
    left = 0
    for start in range(0, 1_000, 50):
        batch = [acceptance(recipient_phone_number=phone) for phone in in_block(range(start, start + 50))]
        left += 50 - len(reasons_of(await outbox.accept(batch)))
    assert left == 7
    ((numbers, run, is_now),) = await rows(
        database_url, "SELECT numbers, longest_run, suspected_at = last_at FROM number_block"
    )
    assert (numbers, run, is_now) == (1_000, 1_000, True)
    # Another block is another matter.
    await record(outbox, acceptance(recipient_phone_number="+254722345678"))


async def test_a_block_opens_again_when_the_pumping_has_stopped(outbox: Replica, database_url: str) -> None:
    await opened(outbox, pumping=PumpingGuard.BLOCK)
    answers = await outbox.accept([acceptance(recipient_phone_number=phone) for phone in in_block(range(20))])
    assert len(reasons_of(answers)) == 13
    (again,) = await outbox.accept([acceptance()])
    assert isinstance(again, ServiceError)
    assert again.retry_after is not None
    passed = (
        "UPDATE number_block SET seen = ARRAY(SELECT each - 600 * 1000000 * 1000::bigint FROM unnest(seen) AS each)"
    )
    await rows(database_url, passed)
    await record(outbox, acceptance())


async def test_a_block_that_is_usually_busy_is_not_taken_for_pumped(outbox: Replica, database_url: str) -> None:
    await opened(outbox, pumping=PumpingGuard.BLOCK)
    # 10 messages in each 10 minutes of a week.
    await rows(
        database_url,
        "INSERT INTO number_block_hour (account_id, block, hour, sent) "
        "SELECT %s, '+254712345', date_trunc('hour', now()) - make_interval(hours => n), 60 "
        "FROM generate_series(1, 167) AS n",
        (ACCOUNT,),
    )
    answers = await outbox.accept([acceptance(recipient_phone_number=phone) for phone in in_block(range(90))])
    assert reasons_of(answers) == []


async def test_an_account_that_wants_it_off_is_not_watched(outbox: Replica, database_url: str) -> None:
    await opened(outbox, pumping=PumpingGuard.OFF)
    phones = in_block(range(40))
    answers = await outbox.accept([acceptance(recipient_phone_number=phone, tags=("otp",)) for phone in phones])
    assert reasons_of(answers) == []
    assert await rows(database_url, "SELECT sum(cardinality(codes)), sum(cardinality(seen)) FROM number_block") == [
        (40, 0)
    ]


async def test_a_warning_lets_everything_pass(outbox: Replica, database_url: str) -> None:
    await opened(outbox)
    phones = in_block(range(40))
    answers = await outbox.accept([acceptance(recipient_phone_number=phone, tags=("otp",)) for phone in phones])
    assert reasons_of(answers) == []
    assert await rows(database_url, "SELECT numbers FROM number_block WHERE suspected_at IS NOT NULL") == [(40,)]


async def test_a_resend_counts_for_the_window_of_its_phone(outbox: Replica, database_url: str) -> None:
    await opened(outbox, messages_per_recipient_window=2)
    first = await sent(outbox, refused())
    await outbox.resend(first.id, max_retries=3, accounts=None)
    assert reasons_of(await outbox.accept([acceptance()])) == ["RECIPIENT_LIMIT_REACHED"]
    await rows(database_url, "UPDATE account SET destinations = '{UG}', recipient_window_limit = NULL")
    other = await sent(outbox, refused(), recipient_phone_number="+256712345678")
    await rows(database_url, "UPDATE account SET destinations = '{KE}'")
    with pytest.raises(ServiceError) as caught:
        await outbox.resend(other.id, max_retries=3, accounts=None)
    assert caught.value.reason == "DESTINATION_NOT_ALLOWED"
