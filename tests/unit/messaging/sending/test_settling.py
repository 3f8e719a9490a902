"""What receipts make of parts, and parts of a message."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.domain.submission import OutcomeKind, ReceiptState, canonical_carrier_id
from messaging_service.sending.domain.failures import CATALOGUE
from messaging_service.sending.domain.settling import FAILED_RECEIPTS, SETTLEMENT_OF, part_after, state_after
from messaging_service.shared.domain.states import Billing, State

ON_ITS_WAY = [ReceiptState.ENROUTE, ReceiptState.ACCEPTED, ReceiptState.UNKNOWN]
FINAL = [ReceiptState.DELIVERED, *FAILED_RECEIPTS]

A, D, U, E = ReceiptState.ACCEPTED, ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.ENROUTE


def test_every_outcome_is_settled_and_every_receipt_is_final_or_on_its_way() -> None:
    assert set(SETTLEMENT_OF) == set(OutcomeKind)
    assert {*ON_ITS_WAY, *FINAL} == set(ReceiptState)


def test_only_an_acceptance_is_charged_and_only_a_refusal_released() -> None:
    assert {kind: billing for kind, (_, billing) in SETTLEMENT_OF.items()} == {
        OutcomeKind.ACCEPTED: Billing.CHARGED,
        OutcomeKind.REFUSED: Billing.RELEASED,
        OutcomeKind.NOT_TAKEN: Billing.HELD,
        OutcomeKind.UNKNOWN: Billing.HELD,
    }


def test_every_failed_receipt_has_an_explanation() -> None:
    assert set(FAILED_RECEIPTS.values()) <= set(CATALOGUE)


@pytest.mark.parametrize("present", ON_ITS_WAY)
@pytest.mark.parametrize("reported", FINAL)
def test_a_final_report_moves_a_part(present: ReceiptState, reported: ReceiptState) -> None:
    assert part_after(present, reported) is reported


@pytest.mark.parametrize("present", FINAL)
@pytest.mark.parametrize("reported", list(ReceiptState))
def test_the_first_final_report_stands(present: ReceiptState, reported: ReceiptState) -> None:
    assert part_after(present, reported) is present


@pytest.mark.parametrize("reported", ON_ITS_WAY)
def test_a_report_on_the_way_changes_nothing(reported: ReceiptState) -> None:
    assert part_after(ReceiptState.ACCEPTED, reported) is ReceiptState.ACCEPTED


@pytest.mark.parametrize(
    ("present", "parts", "units", "after"),
    [
        (State.ACCEPTED, [A], 1, State.ACCEPTED),
        (State.ACCEPTED, [D], 1, State.DELIVERED),
        (State.ACCEPTED, [U], 1, State.UNDELIVERED),
        (State.ACCEPTED, [E], 1, State.ACCEPTED),
        (State.ACCEPTED, [A, A], 2, State.ACCEPTED),
        (State.ACCEPTED, [D, A], 2, State.ACCEPTED),
        (State.ACCEPTED, [D, D], 2, State.DELIVERED),
        (State.ACCEPTED, [D, U], 2, State.UNDELIVERED),
        (State.ACCEPTED, [U, A], 2, State.UNDELIVERED),
        # A part whose id the carrier never told cannot be reported, so the whole is never known delivered.
        (State.ACCEPTED, [D], 2, State.ACCEPTED),
        (State.ACCEPTED, [U], 2, State.UNDELIVERED),
        (State.ACCEPTED, [], 1, State.ACCEPTED),
        (State.UNKNOWN, [], 1, State.UNKNOWN),
        (State.UNKNOWN, [A], 1, State.ACCEPTED),
        (State.UNKNOWN, [D], 1, State.DELIVERED),
        (State.UNKNOWN, [U], 1, State.UNDELIVERED),
        # A fragment is not a message, whatever became of it.
        (State.UNKNOWN, [A], 2, State.UNKNOWN),
        (State.UNKNOWN, [D], 2, State.UNKNOWN),
        (State.UNKNOWN, [U], 2, State.UNKNOWN),
        (State.UNKNOWN, [D, A], 2, State.ACCEPTED),
        (State.UNKNOWN, [D, D], 2, State.DELIVERED),
        (State.UNKNOWN, [D, U], 2, State.UNDELIVERED),
    ],
)
def test_parts_make_a_message(present: State, parts: list[ReceiptState], units: int, after: State) -> None:
    assert state_after(present, parts, units) is after


@pytest.mark.parametrize("present", [state for state in State if state not in (State.ACCEPTED, State.UNKNOWN)])
@pytest.mark.parametrize("part", list(ReceiptState))
def test_receipts_move_no_other_state(present: State, part: ReceiptState) -> None:
    assert state_after(present, [part], 1) is present


@given(st.lists(st.sampled_from(ReceiptState), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_receipts_of_one_final_word_end_alike_in_any_order_and_number(
    reports: list[ReceiptState], random: Random
) -> None:
    finals = {report for report in reports if report in FINAL}
    if len(finals) > 1:
        reports = [report for report in reports if report not in FINAL]
        finals = set()
    shuffled = [*reports, *reports]
    random.shuffle(shuffled)
    part = ReceiptState.ACCEPTED
    for report in shuffled:
        part = part_after(part, report)
    assert part is (finals.pop() if finals else ReceiptState.ACCEPTED)


@pytest.mark.parametrize(
    ("one", "other"),
    [("0001AF", "1af"), ("1AF", "1af"), (" 1af ", "1AF"), ("0", "000"), ("0", ""), ("007", "7")],
)
def test_spellings_of_one_carrier_id_are_equal(one: str, other: str) -> None:
    assert canonical_carrier_id(one) == canonical_carrier_id(other)


@pytest.mark.parametrize(("one", "other"), [("10", "1"), ("100", "10"), ("a", "b"), ("0", "1"), ("1a", "26")])
def test_different_carrier_ids_stay_different(one: str, other: str) -> None:
    assert canonical_carrier_id(one) != canonical_carrier_id(other)
