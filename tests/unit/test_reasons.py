"""The catalogue of reasons is complete: what can be raised is listed, and what is listed can be raised."""

from __future__ import annotations

from gateway_http.shared.problem_reasons import FIELD_REASONS, REASONS, STATUS_OF_KIND, STATUS_OF_REASON
from tests.unit.reasons_raised import raised

OTHER_STATUS = {"NO_PRICE": "a price that was asked for is not found; a message without one is refused"}


def _where(reason: str) -> str:
    return f"{reason} at {', '.join(sorted(each.where for each in raised() if each.reason == reason))}"


def test_every_reason_that_can_be_raised_is_in_the_catalogue_and_no_other() -> None:
    reasons = {each.reason for each in raised() if each.by != "Violation"}
    assert [_where(reason) for reason in sorted(reasons - set(REASONS))] == []
    assert sorted(set(REASONS) - reasons) == []


def test_every_reason_of_a_field_is_in_the_catalogue_and_no_other() -> None:
    reasons = {each.reason for each in raised() if each.by == "Violation"}
    assert [_where(reason) for reason in sorted(reasons - set(FIELD_REASONS))] == []
    assert sorted(set(FIELD_REASONS) - reasons) == []


def test_the_catalogue_gives_the_status_that_the_kind_of_failure_has() -> None:
    wrong = [
        each
        for each in raised()
        if each.kind is not None
        and each.reason not in OTHER_STATUS
        and REASONS[each.reason].status != STATUS_OF_REASON.get(each.reason, STATUS_OF_KIND[each.kind])
    ]
    assert wrong == []


def test_the_reading_of_the_source_finds_reasons_however_they_are_written() -> None:
    """A text, a constant, a member of an enumeration, a table, a parameter of a method and of an inner function."""
    found = {each.reason for each in raised()}
    assert {"NO_PRICE", "RECIPIENT_OPTED_OUT", "FAR_PAST", "MESSAGING_TIMEOUT", "INVALID_TEXT"} <= found
    assert "INVALID_CUSTOM_DATA" in found
    assert len(found) > 90
