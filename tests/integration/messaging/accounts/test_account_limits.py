"""Limits of accounts: of money and messages, and of messages to one phone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.contract.sms_examples import refused
from tests.integration.messaging.accounts.billing_calls import KES, POSTPAID, PREPAID, UNIT, Billing
from tests.integration.messaging.running_service import Running, message, refusal_of
from tests.system.messaging_database import rows, until_found
from tests.system.waiting import eventually
from tukupay.sms.messaging.v1 import accounts_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"limits": pb.AccountLimits(daily_spend_micros=5 * UNIT - 1)}, ("DAILY_SPEND_LIMIT_REACHED", 4, "day")),
        ({"limits": pb.AccountLimits(messages_per_minute=7)}, ("RATE_LIMIT_REACHED", 7, "minute")),
        ({"limits": pb.AccountLimits(messages_per_recipient_hour=3)}, ("RECIPIENT_LIMIT_REACHED", 3, "hour")),
        ({"mode": PREPAID, "credit_limit_micros": 6 * UNIT - 1}, ("INSUFFICIENT_FUNDS", 5, "century")),
    ],
    ids=["spend", "minute", "recipient", "credit"],
)
async def test_two_hundred_callers_and_a_batch_exceed_no_limit_by_anything(
    service: Running, billing: Billing, database_url: str, terms: dict[str, Any], expected: tuple[str, int, str]
) -> None:
    reason, allowed, window = expected
    await billing.open(**{"mode": POSTPAID} | terms)
    singles = [asyncio.ensure_future(service.send()) for _ in range(200)]
    answers = await service.batch(message() for _ in range(50))
    outcomes = await asyncio.gather(*singles, return_exceptions=True)
    refusals = [answer.error for answer in answers.values() if answer.HasField("error")]
    accepted = len(answers) - len(refusals) + sum(isinstance(each, messaging_pb2.SendSmsResponse) for each in outcomes)
    # A minute may end meanwhile, and the next one has its own share.
    each_window = "SELECT count(*) FROM message GROUP BY date_trunc(%s, created_at AT TIME ZONE INTERVAL '+03:00')"
    stored = [count for (count,) in await rows(database_url, each_window, (window,))]
    assert max(stored) == allowed
    assert (sum(stored), await rows(database_url, "SELECT count(*) FROM idempotency")) == (accepted, [(accepted,)])
    assert {error.reason for error in refusals} == {reason}
    comes_again = reason != "INSUFFICIENT_FUNDS"
    assert all(error.HasField("retry_delay") == comes_again for error in refusals)
    assert not await billing.faults()


@pytest.mark.usefixtures("minute")
async def test_a_phone_at_its_limit_does_not_keep_another_from_its_message(service: Running, billing: Billing) -> None:
    await billing.open(mode=POSTPAID, limits=pb.AccountLimits(messages_per_recipient_hour=1))
    await service.send()
    assert (await refusal_of(service.send())).reason == "RECIPIENT_LIMIT_REACHED"
    await service.send(recipient_phone_number="+254712345679")


@pytest.mark.usefixtures("minute")
async def test_counts_of_hours_that_are_over_are_forgotten(
    service: Running, billing: Billing, database_url: str
) -> None:
    await billing.open(mode=POSTPAID, limits=pb.AccountLimits(messages_per_recipient_hour=1))
    await service.send()
    await rows(database_url, "UPDATE recipient_hour SET hour = hour - interval '1 hour'")
    await service.send()
    assert await rows(database_url, "SELECT messages FROM recipient_hour") == [(1,)]
    await rows(database_url, "UPDATE recipient_hour SET hour = hour - interval '3 hours'")
    await until_found(database_url, "SELECT 1 WHERE NOT EXISTS (SELECT FROM recipient_hour)")


@pytest.mark.usefixtures("minute")
async def test_what_is_used_counts_from_before_a_limit_and_is_forgotten_with_its_day_and_minute(
    service: Running, billing: Billing, database_url: str
) -> None:
    await service.send()
    terms = await billing.change(limits=pb.AccountLimits(daily_spend_micros=UNIT, messages_per_minute=1))
    assert (terms.spent_today_micros, terms.sent_this_minute) == (UNIT, 1)
    assert (await refusal_of(service.send())).reason == "RATE_LIMIT_REACHED"
    await rows(database_url, "UPDATE account SET counted_minute = counted_minute - interval '1 minute'")
    assert (await refusal_of(service.send())).reason == "DAILY_SPEND_LIMIT_REACHED"
    await rows(database_url, "UPDATE account SET spend_day = spend_day - 1")
    await service.send()
    lifted = await billing.change(update_mask=FieldMask(paths=["limits"]))
    assert lifted.limits == pb.AccountLimits()
    await service.send()


@pytest.mark.usefixtures("minute")
async def test_a_mask_names_what_an_update_changes_and_no_more(billing: Billing) -> None:
    limits = pb.AccountLimits(daily_spend_micros=5 * KES, messages_per_minute=3, messages_per_recipient_hour=7)
    await billing.open(limits=limits, credit_limit_micros=KES)

    async def named(*paths: str, **fields: Any) -> pb.Account:
        return await billing.change(update_mask=FieldMask(paths=paths), **fields)

    changed = await named("limits.messages_per_minute", resend_unknown=True, credit_limit_micros=9)
    assert not changed.limits.HasField("messages_per_minute")
    assert (changed.limits.daily_spend_micros, changed.limits.messages_per_recipient_hour) == (5 * KES, 7)
    assert (changed.resend_unknown, changed.credit_limit_micros) == (False, KES)
    # Without a mask, what is present changes and nothing is lifted.
    changed = await billing.change(limits=pb.AccountLimits(daily_spend_micros=KES), resend_unknown=True)
    assert (changed.limits.daily_spend_micros, changed.limits.messages_per_recipient_hour) == (KES, 7)
    assert changed.resend_unknown
    emptied = await named("credit_limit_micros", "resend_unknown")
    assert (emptied.resend_unknown, emptied.credit_limit_micros, emptied.mode) == (False, 0, PREPAID)
    for call, field, reason in (
        (named("mode"), "mode", "REQUIRED"),
        (named("status"), "status", "REQUIRED"),
        (named("posted_micros"), "update_mask", "INVALID_VALUE"),
        (billing.change(limits=pb.AccountLimits()), "", "REQUIRED"),
    ):
        refusal = await refusal_of(call)
        assert [(each.field, each.reason) for each in refusal.violations] == [(field, reason)]


async def test_a_resend_counts_toward_the_limits(service: Running, billing: Billing) -> None:
    service.carrier.answer = lambda _: refused()
    failed = (await service.send()).entry
    await billing.change(limits=pb.AccountLimits(daily_spend_micros=UNIT))
    request = messaging_pb2.ResendSmsRequest(outbox_id=failed.outbox_id)
    assert (await refusal_of(service.sms.ResendSms(request))).reason == "DAILY_SPEND_LIMIT_REACHED"
    await billing.change(limits=pb.AccountLimits(messages_per_minute=1))
    assert (await refusal_of(service.sms.ResendSms(request))).reason == "RATE_LIMIT_REACHED"


@pytest.mark.usefixtures("minute")
async def test_a_resend_counts_for_its_phone(service: Running, billing: Billing) -> None:
    await billing.open(mode=POSTPAID, limits=pb.AccountLimits(messages_per_recipient_hour=2))
    service.carrier.answer = lambda _: refused()
    request = messaging_pb2.ResendSmsRequest(outbox_id=(await service.send()).entry.outbox_id)
    await service.sms.ResendSms(request)
    assert (await refusal_of(service.send())).reason == "RECIPIENT_LIMIT_REACHED"

    async def has_failed() -> bool:
        return (await service.entry(request.outbox_id)).status == messaging_pb2.SMS_STATUS_FAILED

    await eventually("the resend has failed", has_failed)
    assert (await refusal_of(service.sms.ResendSms(request))).reason == "RECIPIENT_LIMIT_REACHED"
