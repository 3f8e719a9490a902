"""The states of a message: code, diagram, table and database agree."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint

from messaging_service.accounts.domain.charging import ChargePolicy, transfer_for
from messaging_service.carriers.domain.submission import ReceiptState
from messaging_service.sending.domain.settling import FAILED_RECEIPTS, SETTLEMENT_OF, state_after
from messaging_service.sending.postgres.message_tables import message
from messaging_service.shared.domain.states import (
    BILLINGS_OF,
    IN_PROGRESS,
    MOVES,
    RESENDABLE,
    STARTS,
    STATUS_OF,
    Billing,
    State,
    Status,
)
from service_kit.access.principal import AccessMode

DOCUMENT = (Path(__file__).parents[4] / "docs" / "state-machine.md").read_text()
DIAGRAM = DOCUMENT.partition("```mermaid")[2].partition("```")[0]
FINAL = {State.DELIVERED, State.CANCELLED}
ARROW = re.compile(r"^\s*(\S+) --> (\S+)\s*$", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \| (.+) \|$", re.MULTILINE)


def words_allowed_by(name: str) -> set[str]:
    (constraint,) = (
        found for found in message.constraints if isinstance(found, CheckConstraint) and found.name == name
    )
    return set(re.findall(r"'(\w+)'", str(constraint.sqltext)))


def test_every_state_has_its_moves_and_its_public_word() -> None:
    assert set(MOVES) == set(STATUS_OF) == set(State)
    assert set(STATUS_OF.values()) == set(Status)


def test_the_database_knows_the_same_words() -> None:
    assert words_allowed_by("ck_message_state") == {state.value for state in State}
    assert words_allowed_by("ck_message_billing") == {billing.value for billing in Billing}


def test_the_diagram_shows_exactly_the_moves() -> None:
    arrows = ARROW.findall(DIAGRAM)
    assert len(arrows) == len(set(arrows))
    drawn = {(source, target) for source, target in arrows if "[*]" not in (source, target)}
    assert drawn == {(source.value, target.value) for source, targets in MOVES.items() for target in targets}
    assert {target for source, target in arrows if source == "[*]"} == {state.value for state in STARTS}
    assert {source for source, target in arrows if target == "[*]"} == {state.value for state in FINAL}


def test_the_table_tells_of_every_state() -> None:
    rows = ROW.findall(DOCUMENT)
    assert len(rows) == len(State)
    assert {(state, status) for state, status, _, _ in rows} == {
        (state.value, status.value) for state, status in STATUS_OF.items()
    }
    for state, _, billing, mover in rows:
        assert billing == billing_in(State(state)).value
        assert ("final" in mover) == (State(state) in FINAL)
        assert ("resend" in mover) == (State(state) in RESENDABLE)


def billing_in(state: State) -> Billing:
    settled = dict(SETTLEMENT_OF.values())
    if state in (State.EXPIRED, State.CANCELLED):
        return Billing.RELEASED
    if state in (State.DELIVERED, State.UNDELIVERED):
        return settled[State.ACCEPTED]
    return settled.get(state, Billing.HELD)


@pytest.mark.parametrize(
    ("status", "states"),
    [
        (Status.PENDING, {State.SCHEDULED, State.READY, State.SUBMITTING, State.UNKNOWN}),
        (Status.SENT, {State.ACCEPTED, State.DELIVERED}),
        (Status.FAILED, {State.REFUSED, State.UNDELIVERED, State.EXPIRED, State.CANCELLED}),
    ],
)
def test_the_public_word_of_each_state(status: Status, states: set[State]) -> None:
    assert {state for state, word in STATUS_OF.items() if word is status} == states


def test_nothing_leads_out_of_a_final_state() -> None:
    assert {state for state, targets in MOVES.items() if not targets} == FINAL


def test_only_a_resend_leads_out_of_failure() -> None:
    failed = {state for state, status in STATUS_OF.items() if status is Status.FAILED}
    assert failed - FINAL == RESENDABLE
    for state in RESENDABLE:
        assert MOVES[state] == {State.READY}


def test_what_was_sent_never_goes_back_into_the_queue_by_itself() -> None:
    for state in (State.ACCEPTED, State.DELIVERED):
        assert not MOVES[state] & (IN_PROGRESS | {State.REFUSED, State.CANCELLED})


def test_what_may_have_been_sent_goes_back_into_the_queue_and_nowhere_else_before_the_carrier() -> None:
    assert MOVES[State.UNKNOWN] & IN_PROGRESS == {State.READY}
    assert State.CANCELLED not in MOVES[State.UNKNOWN]


def test_the_table_and_the_constraint_tell_the_billing_of_every_state() -> None:
    constraint = str(
        next(
            found.sqltext
            for found in message.constraints
            if isinstance(found, CheckConstraint) and found.name == "ck_message_billing_of_state"
        )
    )
    held_by_database = {
        State(state): {Billing(billing) for billing in re.findall(r"'(\w+)'", billings)}
        for states, billings in re.findall(r"state NOT IN \(([^)]*)\) OR billing IN \(([^)]*)\)", constraint)
        for state in re.findall(r"'(\w+)'", states)
    }
    assert held_by_database == BILLINGS_OF
    for state, _, billing, _ in ROW.findall(DOCUMENT):
        assert Billing(billing) in BILLINGS_OF[State(state)]
        assert BILLINGS_OF[State(state)] - {Billing(billing)} <= {Billing.REFUNDED}


def test_every_settlement_and_every_transfer_leaves_a_billing_of_its_state() -> None:
    for state, billing in SETTLEMENT_OF.values():
        assert billing in BILLINGS_OF[state]
    for present, policy in product(State, ChargePolicy):
        for billing, state in product(BILLINGS_OF[present], MOVES[present]):
            transfer = transfer_for(billing, state, policy)
            if present in (State.ACCEPTED, State.UNKNOWN):
                assert transfer.billing in BILLINGS_OF[state], (present, billing, state)
            assert transfer.charges <= transfer.ends_hold
            assert transfer.ends_hold == (billing is Billing.HELD and transfer.billing is not Billing.HELD)
            assert not transfer.refunds or policy is ChargePolicy.DELIVERY


def test_a_test_message_goes_through_the_same_billings_without_a_charge_or_a_refund() -> None:
    for present, policy in product(State, ChargePolicy):
        for billing, state in product(BILLINGS_OF[present], MOVES[present]):
            live, test = (transfer_for(billing, state, policy, mode) for mode in AccessMode)
            assert (test.billing, test.ends_hold) == (live.billing, live.ends_hold)
            assert not test.charges
            assert not test.refunds


def test_every_state_can_be_reached() -> None:
    assert {target for targets in MOVES.values() for target in targets} | STARTS == set(State)


def test_every_settlement_is_a_move() -> None:
    assert {state for state, _ in SETTLEMENT_OF.values()} == MOVES[State.SUBMITTING]


def test_receipts_only_make_moves() -> None:
    for present, first, second in product(State, ReceiptState, [*ReceiptState, None]):
        parts = [first] if second is None else [first, second]
        after = state_after(present, parts, 2)
        assert after is present or after in MOVES[present], (present, parts, after)
        if after is State.UNDELIVERED and present is not State.UNDELIVERED:
            assert any(part in FAILED_RECEIPTS for part in parts)
