"""Accounts that want messages sent again whose outcome stays unknown."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_service.receipts.late_outcomes import LateSettlement, Verdict
from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, State, Status
from service_kit.errors import Kind
from tests.contract.sms_examples import PRICE, TWO_UNITS, acceptance, accepted, refused, unanswered
from tests.integration.messaging.accounts.money_rules import BROKEN
from tests.integration.messaging.conftest import MakeOutbox, money, receipt, record, settle, stored, transitions
from tests.integration.messaging.receipts.receipts_at_work import bring, opt_out
from tests.integration.messaging.running_service import Running, refusal_of
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import accounts_pb2

pytestmark = pytest.mark.timeout(60)

TOTAL = PRICE.unit_price
AFTER_S = 301


@pytest.fixture(autouse=True)
async def opted_in(database_url: str) -> None:
    await rows(database_url, "INSERT INTO account (id, resend_unknown) VALUES ('user123', true)")


async def unknown(outbox: Replica, *references: str, **changes: Any) -> Message:
    """A message that may or may not have been sent."""
    message = await record(outbox, acceptance(claimed=True, **changes))
    return await settle(outbox, Claim(message, 1, 0, 0.0), unanswered(*references))


async def sent_again(outbox: Replica, url: str, *references: str, **changes: Any) -> tuple[Message, Claim]:
    """The same message in its second attempt."""
    message = await unknown(outbox, *references, **changes)
    await pass_time(url, AFTER_S)
    assert (await outbox.sweep()).resent == 1
    (claim,) = await outbox.claim(10)
    return message, claim


async def test_it_is_a_new_attempt_under_the_same_hold(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox)
    await pass_time(database_url, AFTER_S - 2)
    assert (await outbox.sweep()).resent == 0
    await pass_time(database_url, 2)
    assert (await outbox.sweep()).resent == 1
    again = await stored(outbox, message.id)
    assert (again.state, again.billing, again.retry_count, again.error_code) == (State.READY, Billing.HELD, 1, None)
    assert await money(outbox) == (0, TOTAL)
    assert (await rows(database_url, "SELECT attempt, from_state, to_state, code FROM message_event ORDER BY id"))[
        -1
    ] == (2, "unknown", "ready", "UNKNOWN_RESENT")
    (claim,) = await outbox.claim(10)
    await settle(outbox, claim, accepted("B1"))
    assert await money(outbox) == (-TOTAL, 0)


async def test_a_phone_that_has_had_its_share_of_the_hour_waits_for_the_next(
    outbox: Replica, database_url: str
) -> None:
    await rows(database_url, "UPDATE account SET recipient_hour_limit = 3")
    first, second = await unknown(outbox), await unknown(outbox)
    elsewhere = await unknown(outbox, recipient_phone_number="+254712345679")
    await pass_time(database_url, AFTER_S)
    # Two of the three were used by the messages themselves, so one of them may go again.
    assert (await outbox.sweep()).resent == 2
    assert (await stored(outbox, elsewhere.id)).state is State.READY
    states = {(await stored(outbox, message.id)).state for message in (first, second)}
    assert states == {State.READY, State.UNKNOWN}
    assert sorted(await rows(database_url, "SELECT messages FROM recipient_hour")) == [(2,), (3,)]
    next_hour = "SELECT resend_at = date_trunc('hour', resend_at) AND resend_at > now() FROM dispatch WHERE state = %s"
    assert await rows(database_url, next_hour, ("unknown",)) == [(True,)]
    assert (await outbox.sweep()).resent == 0
    await rows(database_url, "UPDATE recipient_hour SET hour = hour - interval '1 hour'")
    await rows(database_url, "UPDATE dispatch SET resend_at = now() WHERE resend_at IS NOT NULL")
    assert (await outbox.sweep()).resent == 1
    for what, statement in BROKEN.items():
        assert not await rows(database_url, statement), what


async def test_a_phone_that_has_had_its_codes_waits_until_one_leaves_the_window(
    outbox: Replica, database_url: str
) -> None:
    await rows(database_url, "UPDATE account SET otp_window_limit = 2")
    message = await unknown(outbox, tags=("otp",))
    await record(outbox, acceptance(tags=("otp",)))
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 0
    waits = "SELECT extract(epoch FROM resend_at - now()) BETWEEN 500 AND 600 FROM dispatch WHERE resend_at IS NOT NULL"
    assert await rows(database_url, waits) == [(True,)]
    await rows(database_url, "UPDATE number_block SET codes = codes[2:]")
    await rows(database_url, "UPDATE dispatch SET resend_at = now() WHERE resend_at IS NOT NULL")
    assert (await outbox.sweep()).resent == 1
    assert (await stored(outbox, message.id)).state is State.READY
    assert await rows(database_url, "SELECT cardinality(codes) FROM number_block") == [(2,)]


async def test_a_message_that_is_sent_again_by_itself_takes_nothing_of_the_day_and_the_minute(
    outbox: Replica, database_url: str
) -> None:
    await sent_again(outbox, database_url)
    spent, counted = (await rows(database_url, "SELECT day_spent, minute_count FROM account"))[0]
    assert (spent, counted) == (TOTAL, 1)


async def test_a_dead_process_leaves_such_messages_too(outbox: Replica, database_url: str) -> None:
    message = await record(outbox, acceptance(claimed=True))
    await pass_time(database_url, 31)
    await outbox.sweep()
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 1
    assert (await stored(outbox, message.id)).state is State.READY


async def test_other_accounts_are_left_alone(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox, user_id="other")
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 0
    assert (await stored(outbox, message.id)).state is State.UNKNOWN


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE account SET resend_unknown = false",
        "UPDATE account SET status = 'suspended'",
        "UPDATE message SET retry_count = 3",
        "UPDATE message SET expires_at = now()",
    ],
    ids=["changed its mind", "was stopped", "resent as often as allowed", "validity over"],
)
async def test_what_speaks_against_it_is_looked_at_when_it_is_due(
    outbox: Replica, database_url: str, change: str
) -> None:
    message = await unknown(outbox)
    await rows(database_url, change)
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 0
    assert (await stored(outbox, message.id)).state is State.UNKNOWN
    assert await rows(database_url, "SELECT resend_at FROM dispatch") == [(None,)]
    await pass_time(database_url, 3_600)
    assert (await outbox.sweep()).expired == 1


async def test_a_phone_that_opted_out_gets_no_second_copy(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox)
    await opt_out(database_url)
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 0
    assert (await stored(outbox, message.id)).state is State.UNKNOWN


async def test_it_happens_once(outbox: Replica, database_url: str) -> None:
    message, claim = await sent_again(outbox, database_url)
    await settle(outbox, claim, unanswered())
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 0
    await pass_time(database_url, 3_600)
    await outbox.sweep()
    ended = await stored(outbox, message.id)
    assert (ended.state, ended.error_code) == (State.EXPIRED, "NO_OUTCOME_IN_TIME")
    assert await money(outbox) == (0, 0)


async def test_a_resend_that_somebody_asks_for_may_be_followed_by_one_more(outbox: Replica, database_url: str) -> None:
    message, claim = await sent_again(outbox, database_url)
    await settle(outbox, claim, refused())
    await outbox.resend(message.id, 3, accounts=None)
    (third,) = await outbox.claim(10)
    assert third.epoch > claim.epoch
    await settle(outbox, third, unanswered())
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 1
    assert (await stored(outbox, message.id)).retry_count == 3


@pytest.mark.parametrize("claimed", [True, False], ids=["while it is sent", "before it is sent"])
async def test_an_acceptance_of_the_first_try_charges_nothing_any_more(
    outbox: Replica, database_url: str, claimed: bool
) -> None:
    message = await unknown(outbox)
    await pass_time(database_url, AFTER_S)
    await outbox.sweep()
    claims = await outbox.claim(10) if claimed else []
    verdicts = await outbox.late.settle_late([LateSettlement(message.id, 1, accepted("A1"), 0.5)])
    assert verdicts == [Verdict.OVERTAKEN]
    claims = claims or await outbox.claim(10)
    await settle(outbox, claims[0], accepted("B1"))
    assert await money(outbox) == (-TOTAL, 0)
    assert await rows(database_url, "SELECT attempt, kind FROM ledger_entry") == [(2, "charge")]


async def test_an_acceptance_in_time_prevents_the_second_try(outbox: Replica, database_url: str) -> None:
    message = await unknown(outbox)
    await outbox.late.settle_late([LateSettlement(message.id, 1, accepted("A1"), 0.5)])
    await pass_time(database_url, AFTER_S)
    assert (await outbox.sweep()).resent == 0
    assert (await stored(outbox, message.id)).state is State.ACCEPTED


async def test_receipts_of_the_first_try_decide_nothing_about_the_second(outbox: Replica, database_url: str) -> None:
    message, claim = await sent_again(outbox, database_url, "A1", message=TWO_UNITS)
    assert (await bring(outbox, receipt("A1"))).matched == 1
    assert (await stored(outbox, message.id)).state is State.SUBMITTING
    await settle(outbox, claim, accepted("B1", "B2"))
    await bring(outbox, receipt("A1"))
    assert (await stored(outbox, message.id)).state is State.ACCEPTED
    await bring(outbox, receipt("B1"), receipt("B2"))
    assert (await stored(outbox, message.id)).state is State.DELIVERED
    assert await money(outbox) == (-2 * TOTAL, 0)
    assert (await transitions(database_url, message.id))[-1] == (2, "accepted", "delivered")


async def test_a_message_that_is_sent_again_still_expires_in_time(outbox: Replica, database_url: str) -> None:
    now = datetime.now(UTC)
    message = await unknown(outbox, now=now, expires_time=now + timedelta(seconds=AFTER_S + 60))
    await pass_time(database_url, AFTER_S)
    await outbox.sweep()
    await pass_time(database_url, 60)
    assert await outbox.claim(10) == []
    await outbox.sweep()
    assert (await stored(outbox, message.id)).error_code == "VALIDITY_OVER"
    assert await money(outbox) == (0, 0)


async def test_second_tries_late_answers_and_receipts_at_once_charge_each_message_once(
    make_outbox: MakeOutbox, database_url: str
) -> None:
    one, two = await make_outbox("one"), await make_outbox("two")
    messages = [await unknown(one, f"A{n}") for n in range(24)]
    await pass_time(database_url, AFTER_S)
    await one.receipts.store([receipt(f"A{n}") for n in range(0, 24, 3)])
    late = [LateSettlement(messages[n].id, 1, accepted(f"A{n}"), 0.5) for n in range(1, 24, 3)]
    await asyncio.gather(
        two.sweep(),
        one.sweep(),
        *(one.late.settle_late([item]) for item in late),
        *(two.receipts.work(4) for _ in range(4)),
    )
    for claim in [*await one.claim(50), *await one.claim(50)]:
        await settle(one, claim, accepted())
    assert {(await stored(one, message.id)).status for message in messages} == {Status.SENT}
    assert await money(one) == (-len(messages) * TOTAL, 0)
    for what, statement in BROKEN.items():
        assert await rows(database_url, statement) == [], what


async def test_an_account_chooses_it_over_grpc(service: Running, database_url: str) -> None:
    off = await service.accounts.UpdateAccount(
        accounts_pb2.UpdateAccountRequest(user_id="user123", resend_unknown=False)
    )
    assert not off.account.resend_unknown
    on = await service.accounts.UpdateAccount(accounts_pb2.UpdateAccountRequest(user_id="user123", resend_unknown=True))
    assert on.account.resend_unknown
    shown = await service.accounts.GetAccount(accounts_pb2.GetAccountRequest(user_id="user123"))
    assert shown.account == on.account


async def test_a_change_of_nothing_or_of_nobody_is_refused(service: Running) -> None:
    nothing = await refusal_of(service.accounts.UpdateAccount(accounts_pb2.UpdateAccountRequest(user_id="user123")))
    assert [(v.field, v.reason) for v in nothing.violations] == [("", "REQUIRED")]
    nobody = accounts_pb2.UpdateAccountRequest(user_id="nobody", resend_unknown=True)
    error = await refusal_of(service.accounts.UpdateAccount(nobody))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "ACCOUNT_NOT_FOUND")
