"""Refused calls become entries of the audit log soon, and never a flood of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from service_kit.audit.actor import PLATFORM, Actor
from service_kit.audit.audit_entry import AuditEntry, AuditFilter, AuditRecord
from service_kit.audit.audit_store import AuditStore
from service_kit.audit.refusal_duty import MOST_KEPT, RefusalDuty
from service_kit.audit.refused_calls import MOST, WINDOW_S, RefusedCalls, record_of
from service_kit.errors import Kind, ServiceError
from tests.doubles.duty_log import StrictDuties


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Store(AuditStore):
    """Keeps what is added, or is away."""

    added: list[tuple[Actor, AuditRecord]] = field(default_factory=list)
    is_away: bool = False

    @override
    async def entries(self, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[AuditEntry]:
        raise NotImplementedError

    @override
    async def add(self, entries: Sequence[tuple[Actor, AuditRecord]]) -> None:
        if self.is_away:
            raise ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "it is away")
        self.added += entries


def somebody(number: int = 0) -> Actor:
    return Actor(f"tk_live_{number:08}", "api_key", "192.0.2.7", f"request-{number}")


def test_the_first_refusal_is_due_at_once_and_repetitions_after_a_minute() -> None:
    clock = Clock()
    calls = RefusedCalls(clock)
    calls.note(somebody(), "AccountService/TopUp", "money:write")
    ((actor, refusal, number),) = calls.due()
    assert actor == somebody()
    assert record_of(refusal, number) == AuditRecord(
        "access.refused", "AccountService/TopUp", after={"scope": "money:write", "calls": 1}
    )
    for _ in range(10_000):
        calls.note(somebody(), "AccountService/TopUp", "money:write")
    assert calls.due() == []
    clock.now = WINDOW_S
    assert [each[2] for each in calls.due()] == [10_000]
    assert calls.due() == []


def test_another_method_scope_or_caller_is_another_cause() -> None:
    calls = RefusedCalls(Clock())
    calls.note(somebody(), "A/B", "money:write")
    calls.note(somebody(), "A/C", "money:write")
    calls.note(somebody(), "A/B", None)
    calls.note(somebody(1), "A/B", "money:write")
    assert len(calls.due()) == 4


def test_a_flood_of_causes_is_a_bounded_number_of_entries() -> None:
    clock = Clock()
    calls = RefusedCalls(clock)
    for number in range(50 * MOST):
        calls.note(somebody(number), "A/B", None)
    assert len(calls.due()) == MOST
    clock.now = WINDOW_S
    assert calls.due() == [(PLATFORM, None, 49 * MOST)]
    assert record_of(None, 7) == AuditRecord("access.refused", "others", after={"calls": 7})


async def test_what_is_due_waits_for_a_database_that_is_away() -> None:
    clock, store = Clock(), Store(is_away=True)
    calls = RefusedCalls(clock)
    duty = RefusalDuty(calls, store, StrictDuties())
    for minute in range(20):
        clock.now = minute * WINDOW_S
        for number in range(MOST):
            calls.note(somebody(number), f"A/{minute}", None)
        with pytest.raises(ServiceError):
            await duty.write_once()
    store.is_away = False
    await duty.write_once()
    assert len(store.added) == MOST_KEPT
    await duty.write_once()
    assert len(store.added) == MOST_KEPT
