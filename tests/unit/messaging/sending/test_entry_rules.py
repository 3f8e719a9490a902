"""What may still be done with an entry, as truth tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from messaging_service.accounts.domain.account import AccountStatus
from messaging_service.sending.domain.entry_rules import check_cancel, check_resend, is_resent_by_itself
from messaging_service.sending.domain.repetition import other_request
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import State
from service_kit.errors import ServiceError
from tests.contract.sms_examples import acceptance

NOW = datetime(2026, 12, 1, tzinfo=UTC)
FAILED = {State.REFUSED, State.UNDELIVERED, State.EXPIRED}
OPEN = {State.SCHEDULED, State.READY, State.SUBMITTING}


def message(state: State, retry_count: int = 0) -> Message:
    recorded = acceptance(message_id="m1").message(state, NOW, None)
    return replace(recorded, retry_count=retry_count)


def refusal(check: Callable[..., None], *arguments: Any, **options: Any) -> str | None:
    try:
        check(*arguments, **options)
    except ServiceError as error:
        return error.reason
    return None


@pytest.mark.parametrize("state", State)
def test_only_what_failed_is_resent_and_not_for_ever(state: State) -> None:
    for is_outdated, retry_count in product((False, True), (0, 1, 2)):
        wanted = None
        if state is State.CANCELLED:
            wanted = "CANCELLED"
        elif state not in FAILED:
            wanted = "NOT_FAILED"
        elif is_outdated:
            wanted = "VALIDITY_OVER"
        elif retry_count == 2:
            wanted = "RETRY_LIMIT_REACHED"
        entry = message(state, retry_count)
        assert refusal(check_resend, entry, is_outdated=is_outdated, max_retries=2) == wanted


@pytest.mark.parametrize("state", State)
def test_only_what_waits_in_the_queue_is_cancelled(state: State) -> None:
    for is_queued in (False, True):
        wanted = None if is_queued and state in OPEN else "NOT_CANCELLABLE"
        assert refusal(check_cancel, message(state), is_queued=is_queued) == wanted


def test_a_message_is_sent_again_by_itself_only_while_nothing_speaks_against_it() -> None:
    table = product(AccountStatus, (False, True), (0, 1), (False, True), (False, True))
    again = [
        row
        for row in table
        if is_resent_by_itself(
            status=row[0],
            resend_unknown=row[1],
            retry_count=row[2],
            max_retries=1,
            is_outdated=row[3],
            is_opted_out=row[4],
        )
    ]
    assert again == [(AccountStatus.ACTIVE, True, 0, False, False)]


def test_the_fingerprint_alone_tells_a_repetition_from_another_request() -> None:
    first = acceptance(message_id="m1")
    stored = first.message(State.ACCEPTED, NOW, NOW)
    assert other_request("m1", first.request, first.fingerprint, stored, first.fingerprint) is None
    second = acceptance(message_id="m1", message="another text", tags=["otp"])
    error = other_request("m1", second.request, second.fingerprint, stored, first.fingerprint)
    assert error is not None
    assert (error.reason, error.metadata["fields"]) == ("MESSAGE_ID_REUSED", "message,tags")
