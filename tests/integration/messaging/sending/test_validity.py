"""A message that is wanted until an instant: submitted before it, or expired."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_service.sending.outbox import Claim
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, Priority, State
from service_kit.errors import ServiceError
from tests.contract.sms_examples import acceptance, not_taken, refused, settlement, unanswered
from tests.integration.messaging.conftest import money, record, sent, settle, stored, transitions
from tests.integration.messaging.running_service import Running
from tests.system.messaging_database import pass_time, rows
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

pytestmark = pytest.mark.timeout(60)

MINUTE = timedelta(minutes=1)


def wanted_for(validity: timedelta, *, claimed: bool = False, **changes: Any) -> Any:
    """A request that is wanted for so long from now."""
    now = datetime.now(UTC)
    return acceptance(claimed=claimed, now=now, expires_time=now + validity, **changes)


async def overdue(outbox: Replica, url: str, **changes: Any) -> Message:
    """A queued message whose validity has just ended."""
    message = await record(outbox, wanted_for(MINUTE, **changes))
    await pass_time(url, 61)
    return message


async def test_it_is_claimed_in_time_with_the_end_of_its_validity(outbox: Replica) -> None:
    message = await record(outbox, wanted_for(MINUTE))
    before = time.monotonic()
    (claim,) = await outbox.claim(10)
    assert claim.message.expires_at == message.expires_at
    assert claim.valid_until is not None
    assert claim.valid_until == pytest.approx(before + 60, abs=10)


async def test_it_is_never_claimed_afterwards_but_expires_and_costs_nothing(outbox: Replica, database_url: str) -> None:
    message = await overdue(outbox, database_url)
    assert await outbox.claim(10) == []
    assert await outbox.seconds_to_next_due() is None
    assert (await outbox.sweep()).expired == 1
    expired = await stored(outbox, message.id)
    assert (expired.state, expired.billing, expired.error_code) == (State.EXPIRED, Billing.RELEASED, "VALIDITY_OVER")
    assert await money(outbox) == (0, 0)
    assert await transitions(database_url, message.id) == [(1, None, "ready"), (1, "ready", "expired")]


@pytest.mark.parametrize("priority", list(Priority))
async def test_those_that_are_over_do_not_stand_in_the_way_of_others(
    outbox: Replica, database_url: str, priority: Priority
) -> None:
    for _ in range(3):
        await record(outbox, wanted_for(MINUTE, priority=priority))
    await pass_time(database_url, 61)
    wanted = await record(outbox, acceptance(priority=priority))
    assert [claim.message.id for claim in await outbox.claim(2)] == [wanted.id]


async def test_a_scheduled_message_expires_too(outbox: Replica, database_url: str) -> None:
    now = datetime.now(UTC)
    item = acceptance(now=now, scheduled_time=now + MINUTE, expires_time=now + 2 * MINUTE)
    message = await record(outbox, item)
    await pass_time(database_url, 121)
    assert await outbox.claim(10) == []
    await outbox.sweep()
    assert (await transitions(database_url, message.id))[-1] == (1, "scheduled", "expired")


async def test_a_send_that_was_late_at_the_database_is_not_begun(outbox: Replica) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    item = acceptance(claimed=True, now=long_ago, expires_time=long_ago + MINUTE)
    message = await record(outbox, item)
    assert (message.state, message.last_attempt_at) == (State.READY, None)
    assert (await outbox.sweep()).expired == 1
    assert (await stored(outbox, message.id)).error_code == "VALIDITY_OVER"


async def test_an_open_outcome_is_left_to_its_window(outbox: Replica, database_url: str) -> None:
    message = await record(outbox, wanted_for(MINUTE, claimed=True))
    await settle(outbox, Claim(message, 1, 0, 0.0), unanswered())
    await pass_time(database_url, 61)
    assert (await outbox.sweep()).expired == 0
    assert (await stored(outbox, message.id)).state is State.UNKNOWN
    await pass_time(database_url, 3_600)
    await outbox.sweep()
    assert (await stored(outbox, message.id)).error_code == "NO_OUTCOME_IN_TIME"


async def test_a_resend_keeps_the_validity_and_is_refused_afterwards(outbox: Replica, database_url: str) -> None:
    failed = await record(outbox, wanted_for(MINUTE, claimed=True))
    await settle(outbox, Claim(failed, 1, 0, 0.0), refused())
    again = await outbox.resend(failed.id, 3, accounts=None)
    assert again.expires_at == failed.expires_at
    await pass_time(database_url, 61)
    assert await outbox.claim(10) == []
    await outbox.sweep()
    with pytest.raises(ServiceError) as caught:
        await outbox.resend(failed.id, 3, accounts=None)
    assert caught.value.reason == "VALIDITY_OVER"
    assert await money(outbox) == (0, 0)


@pytest.mark.parametrize("code", ["CARRIER_BUSY", "CARRIER_THROTTLED", "CARRIER_UNAVAILABLE"])
async def test_a_message_that_waited_too_long_expires_with_the_true_reason(
    outbox: Replica, database_url: str, code: str
) -> None:
    waiting = await sent(outbox, not_taken(code))
    assert (waiting.state, waiting.error_code) == (State.READY, code)
    await pass_time(database_url, 601)
    await outbox.sweep()
    assert (await stored(outbox, waiting.id)).error_code == code


async def test_what_is_tried_again_says_when(outbox: Replica, database_url: str) -> None:
    message = await record(outbox, acceptance(claimed=True))
    await outbox.settle([settlement(Claim(message, 1, 0, 0.0), not_taken("CARRIER_BUSY"), retry_in_s=8)])
    ((code, raw, wait_s, due),) = await rows(
        database_url,
        "SELECT e.code, e.raw, extract(epoch FROM e.next_try_at - e.at)::float8, e.next_try_at = d.due_at "
        "FROM message_event e JOIN dispatch d USING (message_id) WHERE to_state = 'ready'",
    )
    assert (code, raw, wait_s, due) == ("CARRIER_BUSY", "ESME_RSYSERR", 8, True)


async def test_the_carrier_is_asked_to_give_up_in_time(service: Running) -> None:
    expires = datetime.now(UTC) + MINUTE
    entry = (await service.send(expires_time=expires)).entry
    assert entry.delivery_state == pb.DELIVERY_STATE_ACCEPTED
    assert entry.expires_time.ToDatetime(tzinfo=UTC) == expires
    (submission,) = service.carrier.submissions
    assert submission.validity is not None
    assert submission.validity.until == expires
