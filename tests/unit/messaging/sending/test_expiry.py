"""Until when a message is wanted: what may be asked for, and that nothing is submitted afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messaging_service.sending.domain.validation import MAX_VALIDITY, validate
from messaging_service.sending.outbox import Accepted, Claim, valid_until
from messaging_service.shared.domain.states import State
from service_kit.errors import ServiceError
from tests.contract.sms_examples import NOON, acceptance, draft, request
from tests.unit.messaging.sending.wired_service import CLAIM_S, Service

pytestmark = pytest.mark.timeout(10)

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)


def faults(**changes: object) -> list[tuple[str, str]]:
    with pytest.raises(ServiceError) as caught:
        validate(draft(**changes), now=NOON, phone_problem=lambda _: None, max_units=10)
    return [(violation.field, violation.reason) for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("scheduled", "expires"),
    [
        (None, NOON + MICROSECOND),
        (None, NOON + MAX_VALIDITY),
        (NOON - MINUTE, NOON + MAX_VALIDITY),
        (NOON + MINUTE, NOON + MINUTE + MICROSECOND),
        (NOON + MINUTE, NOON + MINUTE + MAX_VALIDITY),
    ],
)
def test_a_validity_ends_after_the_message_is_due_and_within_the_bound(
    scheduled: datetime | None, expires: datetime
) -> None:
    assert request(scheduled_time=scheduled, expires_time=expires).expires_at == expires


@pytest.mark.parametrize(
    ("scheduled", "expires", "reason"),
    [
        (NOON + MINUTE, NOON + MINUTE, "EXPIRY_NOT_AHEAD"),
        (NOON + MINUTE, NOON - MINUTE, "EXPIRY_NOT_AHEAD"),
        (None, NOON + MAX_VALIDITY + MICROSECOND, "EXPIRY_TOO_FAR"),
        (NOON - MINUTE, NOON + MAX_VALIDITY + MICROSECOND, "EXPIRY_TOO_FAR"),
        (NOON + MINUTE, NOON + MINUTE + MAX_VALIDITY + MICROSECOND, "EXPIRY_TOO_FAR"),
    ],
)
def test_any_other_is_refused(scheduled: datetime | None, expires: datetime, reason: str) -> None:
    assert faults(scheduled_time=scheduled, expires_time=expires) == [("expires_time", reason)]


def test_an_end_that_has_passed_is_named_beside_other_faults() -> None:
    assert faults(expires_time=NOON, message="") == [
        ("message", "EMPTY_MESSAGE"),
        ("expires_time", "EXPIRY_NOT_AHEAD"),
    ]


def test_the_end_of_the_validity_is_part_of_what_is_asked_for() -> None:
    prints = {request(expires_time=end).fingerprint() for end in (None, NOON + MINUTE, NOON + 2 * MINUTE)}
    assert len(prints) == 3


def test_requests_without_one_keep_the_fingerprint_that_is_on_record() -> None:
    recorded = "2cd3d3f76f23252582f2c565e312a69fdf2373ca1a1ce8d4c471037d9f5bf2ee"
    assert request().fingerprint().hex() == recorded


async def test_a_repetition_is_answered_from_the_record_when_its_end_has_passed() -> None:
    service, end = Service(), datetime.now(UTC) + MINUTE
    first = await service.send(message_id="otp-1", expires_time=end)
    service.now = end
    again = await service.send(message_id="otp-1", expires_time=end)
    assert (again.replayed, again.message) == (True, first.message)
    with pytest.raises(ServiceError) as caught:
        await service.send(message_id="otp-2", expires_time=end)
    assert [violation.reason for violation in caught.value.violations] == ["EXPIRY_NOT_AHEAD"]
    assert len(service.outbox.book.messages) == len(service.carrier.submissions) == 1


async def inline_claim(service: Service, validity: timedelta) -> Claim:
    now = service.outbox.book.now
    (answer,) = await service.outbox.accept([acceptance(claimed=True, now=now, expires_time=now + validity)])
    assert isinstance(answer, Accepted)
    message = answer.message
    until = valid_until(message, service.monotonic, message.created_at)
    return Claim(message, 1, 0, service.monotonic + CLAIM_S, valid_until=until)


@pytest.mark.parametrize(("passed_s", "is_submitted"), [(9.9, True), (10.0, False), (11.0, False)])
async def test_no_byte_leaves_once_the_validity_is_over(passed_s: float, is_submitted: bool) -> None:
    service = Service()
    claim = await inline_claim(service, timedelta(seconds=10))
    slot = service.carriers.try_reserve()
    assert slot is not None
    service.monotonic += passed_s
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    assert len(service.carrier.submissions) == is_submitted
    message = service.outbox.book.messages[claim.message.id]
    assert (message.state, message.error_code) == (
        (State.ACCEPTED, None) if is_submitted else (State.READY, "VALIDITY_OVER")
    )
    assert service.carrier.free_slots == 10


async def test_the_carrier_is_told_the_end() -> None:
    service, end = Service(), datetime.now(UTC) + MINUTE
    await service.send(expires_time=end)
    (submission,) = service.carrier.submissions
    assert submission.validity is not None
    assert submission.validity.until == end


async def test_the_carrier_is_told_what_is_left_of_the_time_also_after_a_wait() -> None:
    service = Service()
    claim = await inline_claim(service, timedelta(seconds=10))
    slot = service.carriers.try_reserve()
    assert slot is not None
    service.monotonic += 4
    await service.attempts.run(claim, slot, service.carriers, service.claims.queued)
    (submission,) = service.carrier.submissions
    assert submission.validity is not None
    assert submission.validity.left_s == pytest.approx(6)
