"""Histories that hypothesis makes up, against PostgreSQL: money and states are right after every single step.

Runs some seconds; OUTBOX_MACHINE_EXAMPLES=500 makes it a campaign with histories that are new each time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from messaging_service.accounts.domain.account import AccountChanges
from messaging_service.accounts.domain.charging import ChargePolicy
from messaging_service.carriers.domain.submission import Outcome, OutcomeKind, ReceiptState
from messaging_service.receipts.late_outcomes import LateSettlement, Verdict
from messaging_service.sending.outbox import Accepted, Claim
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import State
from service_kit.audit.actor import PLATFORM
from service_kit.errors import Kind, ServiceError
from service_kit.postgres.database import create_pool
from tests.contract.sms_examples import TWO_UNITS, acceptance, settlement
from tests.integration.messaging.accounts.money_rules import BROKEN, LEGAL
from tests.integration.messaging.conftest import WINDOWS, receipt
from tests.system.messaging_database import pass_time
from tests.system.messaging_replica import Replica

pytestmark = pytest.mark.timeout(3_600)

EXAMPLES = os.environ.get("OUTBOX_MACHINE_EXAMPLES")
STEPS = 40
TABLES = ("receipt", "ledger_entry", "message_part", "message_event", "dispatch", "idempotency", "message", "account")
# A lease is 30 s, an unknown outcome is sent again after 300 s, a queue ends after 600 s and a window after 3,600 s.
PAUSES_S = (1.0, 2.0, 31.0, 61.0, 301.0, 601.0, 3_601.0)
ACCOUNTS = ("prepaid", "postpaid", "again")
"""One with a balance that runs out, one without, and one that wants unknown outcomes sent again."""

T = TypeVar("T")


class OutboxMachine(RuleBasedStateMachine):
    """Two instances of the service at one database, a carrier that may do anything, and time that passes."""

    policy = ChargePolicy.ACCEPTANCE
    url = ""
    seen: ClassVar[set[tuple[str | None, str]]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.eye = psycopg.connect(self.url, autocommit=True)
        self.claims: list[tuple[int, Claim]] = []
        self.settled: list[tuple[int, Claim]] = []
        self.unknown: list[Claim] = []
        self.messages: list[Message] = []
        self.carrier_ids: list[str] = []
        self.late_not_taken = 0
        self.resent = 0
        self.references = 0

    @initialize()
    def begin(self) -> None:
        self.eye.execute("; ".join(f"DELETE FROM {table}" for table in TABLES).encode())
        self.eye.execute("INSERT INTO account (id, mode, posted) VALUES ('prepaid', 'prepaid', 4)")
        self.eye.execute(
            "INSERT INTO ledger_entry (account_id, kind, amount, reference) VALUES ('prepaid', 'top_up', 4, 'first')"
        )
        self.eye.execute("INSERT INTO account (id, resend_unknown) VALUES ('again', true)")
        self.pools = [create_pool(self.url, name, max_size=1, timeout_s=20) for name in ("one", "two")]
        self.instances = [
            Replica(pool, name, WINDOWS, charge=self.policy)
            for pool, name in zip(self.pools, ("one", "two"), strict=True)
        ]
        for pool in self.pools:
            self.run(pool.open())
        # Something of everything to begin with, as the first steps of a history are spent on that otherwise.
        for account in ACCOUNTS:
            self.send(here=0, account=account, claimed=True, two_units=False, validity_s=None, ahead_s=None)
            here, claim = self.claims.pop()
            kind = OutcomeKind.UNKNOWN if account == "again" else OutcomeKind.ACCEPTED
            self.finish(here, claim, kind)
            self.send(here=1, account=account, claimed=False, two_units=True, validity_s=60, ahead_s=5)

    def run(self, call: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await call

        return self.runner.run(awaited())

    def teardown(self) -> None:
        for pool in getattr(self, "pools", []):
            self.run(pool.close())
        self.runner.close()
        self.eye.close()

    # What callers do.

    @rule(
        here=st.integers(0, 1),
        account=st.sampled_from(ACCOUNTS),
        claimed=st.booleans(),
        two_units=st.booleans(),
        validity_s=st.sampled_from([None, None, 10, 60, 400]),
        ahead_s=st.sampled_from([None, None, 5]),
    )
    def send(  # noqa: PLR0917 - hypothesis calls it by keyword
        self, here: int, account: str, claimed: bool, two_units: bool, validity_s: int | None, ahead_s: int | None
    ) -> None:
        now = datetime.now(UTC)
        item = acceptance(
            claimed=claimed and ahead_s is None,
            now=now,
            user_id=account,
            message=TWO_UNITS if two_units else "Habari",
            scheduled_time=None if ahead_s is None else now + timedelta(seconds=ahead_s),
            expires_time=None if validity_s is None else now + timedelta(seconds=validity_s + (ahead_s or 0)),
        )
        (answer,) = self.run(self.instances[here].accept([item]))
        if not isinstance(answer, Accepted):
            assert (answer.reason, account) == ("INSUFFICIENT_FUNDS", "prepaid")
            return
        self.messages.append(answer.message)
        if answer.message.state is State.SUBMITTING:
            self.claims.append((here, Claim(answer.message, 1, 0, 0.0)))

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), here=st.integers(0, 1))
    def resend(self, data: st.DataObject, here: int) -> None:
        self.amend(self.instances[here].resend(data.draw(st.sampled_from(self.messages)).id, 3, accounts=None))

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), here=st.integers(0, 1))
    def cancel(self, data: st.DataObject, here: int) -> None:
        self.amend(self.instances[here].cancel(data.draw(st.sampled_from(self.messages)).id, None))

    def amend(self, call: Awaitable[Any]) -> None:
        try:
            self.run(call)
        except ServiceError as error:
            assert error.kind is Kind.FAILED_PRECONDITION  # noqa: PT017 - any other refusal is a fault

    @rule(wanted=st.booleans())
    def choose(self, wanted: bool) -> None:
        self.run(self.instances[0].accounts.update("again", AccountChanges(resend_unknown=wanted), actor=PLATFORM))

    # What the service does.

    @rule(here=st.integers(0, 1), limit=st.integers(1, 4))
    def claim(self, here: int, limit: int) -> None:
        self.claims += [(here, claim) for claim in self.run(self.instances[here].claim(limit))]

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), kind=st.sampled_from([OutcomeKind.ACCEPTED, *OutcomeKind]), by_another=st.integers(0, 9))
    def settle(self, data: st.DataObject, kind: OutcomeKind, by_another: int) -> None:
        here, claim = data.draw(st.sampled_from(self.claims))
        if by_another == 0:
            self.finish(1 - here, claim, kind)
            return
        self.claims.remove((here, claim))
        self.finish(here, claim, kind)

    def finish(self, here: int, claim: Claim, kind: OutcomeKind) -> None:
        (settled,) = self.run(self.instances[here].settle([settlement(claim, self.outcome(claim, kind), 0.5)]))
        assert not isinstance(settled, ServiceError)
        self.settled.append((here, claim))
        if kind is OutcomeKind.UNKNOWN:
            self.unknown.append(claim)

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        here, claim = data.draw(st.sampled_from(self.settled))
        item = settlement(claim, self.outcome(claim, OutcomeKind.ACCEPTED), 0.5)
        (settled,) = self.run(self.instances[here].settle([item]))
        assert not isinstance(settled, ServiceError)
        assert not settled.applied

    @precondition(lambda self: self.unknown)
    @rule(
        data=st.data(),
        kind=st.sampled_from([kind for kind in OutcomeKind if kind is not OutcomeKind.UNKNOWN]),
        is_open=st.integers(0, 3),
    )
    def settle_late(self, data: st.DataObject, kind: OutcomeKind, is_open: int) -> None:
        claim = data.draw(st.sampled_from(self.unknown))
        if is_open == 0 and self.claims:
            _, claim = data.draw(st.sampled_from(self.claims))
        item = LateSettlement(claim.message.id, claim.epoch, self.outcome(claim, kind), 0.5)
        (verdict,) = self.run(self.instances[0].late.settle_late([item]))
        self.late_not_taken += verdict is Verdict.RECORDED and kind is OutcomeKind.NOT_TAKEN

    def outcome(self, claim: Claim, kind: OutcomeKind) -> Outcome:
        """What the carrier says; of an unknown outcome or a refusal, some parts may have been taken."""
        taken = {OutcomeKind.ACCEPTED: claim.message.units, OutcomeKind.NOT_TAKEN: 0}.get(kind, claim.message.units - 1)
        ids = []
        for _ in range(taken):
            self.references += 1
            ids.append(f"C{self.references:06X}")
        self.carrier_ids += ids
        return Outcome(kind, "smpp", tuple(ids), None if kind is OutcomeKind.ACCEPTED else "CARRIER_BUSY", "raw")

    @rule(
        data=st.data(),
        here=st.integers(0, 1),
        states=st.lists(st.sampled_from([ReceiptState.DELIVERED, *ReceiptState]), min_size=1, max_size=3),
        is_stray=st.integers(0, 4),
    )
    def receipts(self, data: st.DataObject, here: int, states: Sequence[ReceiptState], is_stray: int) -> None:
        """A stray has an id that nobody knows, but the phone of every message."""
        known = self.carrier_ids[-20:]
        reference = f"5{self.references:06X}" if is_stray == 0 or not known else data.draw(st.sampled_from(known))
        self.run(self.instances[here].receipts.store([receipt(reference, state) for state in states]))
        self.run(self.instances[here].receipts.work(50))

    @rule(seconds=st.sampled_from(PAUSES_S), here=st.integers(0, 1), is_swept=st.integers(0, 3))
    def time_passes(self, seconds: float, here: int, is_swept: int) -> None:
        """Whoever held a claim for longer than its lease has crashed, as far as the others can see."""
        self.run(pass_time(self.url, seconds))
        if seconds > WINDOWS.lease_s:
            self.unknown += [claim for _, claim in self.claims]
        if is_swept:
            self.resent += self.run(self.instances[here].sweep()).resent
        self.run(self.instances[here].receipts.work(50))

    # What must hold.

    @invariant()
    def nothing_is_broken(self) -> None:
        for what, statement in BROKEN.items():
            broken = self.rows(statement)
            assert not broken, f"{what}: {broken[:3]}"

    @invariant()
    def only_legal_moves_were_made(self) -> None:
        moves = {(row[0], row[1]) for row in self.rows("SELECT DISTINCT from_state, to_state FROM message_event")}
        assert moves <= LEGAL
        self.seen.update(moves)

    @invariant()
    def what_may_have_been_sent_is_sent_again_only_on_proof_or_by_choice(self) -> None:
        ((by_choice, on_proof, others),) = self.rows(
            "SELECT count(*) FILTER (WHERE e.code = 'UNKNOWN_RESENT'), "
            "count(*) FILTER (WHERE e.code <> 'UNKNOWN_RESENT'), "
            "count(*) FILTER (WHERE e.code = 'UNKNOWN_RESENT' AND m.account_id <> 'again') "
            "FROM message_event e JOIN message m ON m.id = e.message_id "
            "WHERE e.from_state = 'unknown' AND e.to_state = 'ready'"
        )
        assert (by_choice, on_proof, others) == (self.resent, self.late_not_taken, 0)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.eye.execute(statement.encode()).fetchall()


@pytest.mark.parametrize("policy", list(ChargePolicy))
def test_any_history_keeps_the_money_and_the_states_right(database_url: str, policy: ChargePolicy) -> None:
    seen: set[tuple[str | None, str]] = set()
    machine = type("Machine", (OutboxMachine,), {"url": database_url, "policy": policy, "seen": seen})
    chosen = settings(
        max_examples=int(EXAMPLES or 20),
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=EXAMPLES is None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    assert len(seen) >= 15, f"the histories were too tame: {sorted(LEGAL - seen, key=str)} never happened"
