"""The catalogues of reasons are complete: what can be raised is listed, and what is listed can be raised."""

from __future__ import annotations

import pytest

import gateway_http.shared.reasons
import messaging_service.shared.domain.reasons
import pricing_service.domain.reasons
import service_kit.reasons
from gateway_http.shared.problem_reasons import FIELD_REASONS, REASONS, STATUS_OF_KIND, STATUS_OF_REASON
from service_kit.reasons import ReasonCatalogue
from tests.unit.reasons_raised import raised
from tukupay.sms.messaging import reasons as messaging
from tukupay.sms.pricing import reasons as pricing

OTHER_STATUS = {"NO_PRICE": "a price that was asked for is not found; a message without one is refused"}
CATALOGUES = {
    "service_kit": service_kit.reasons.COMMON,
    "pricing_service": pricing_service.domain.reasons.REASONS,
    "messaging_service": messaging_service.shared.domain.reasons.REASONS,
    "gateway_http": gateway_http.shared.reasons.REASONS,
}
FILES = (
    service_kit.reasons,
    pricing_service.domain.reasons,
    messaging_service.shared.domain.reasons,
    gateway_http.shared.reasons,
)


def _where(reason: str) -> str:
    return f"{reason} at {', '.join(sorted(each.where for each in raised() if each.reason == reason))}"


@pytest.mark.parametrize("package", CATALOGUES)
def test_each_package_lists_the_reasons_that_it_raises_and_no_other(package: str) -> None:
    # Those that several packages raise stand with the plumbing, whether it raises them or not.
    packages = CATALOGUES if package == "service_kit" else [package]
    reasons = {each.reason for each in raised() if each.where.split("/")[0] in packages}
    own = {each.reason for each in raised() if each.where.startswith(f"{package}/")}
    assert [_where(reason) for reason in sorted(own - set(CATALOGUES[package].sentences))] == []
    assert sorted(set(CATALOGUES[package].sentences) - reasons) == []


def test_a_constant_is_spelled_as_its_reason() -> None:
    for file in FILES:
        names = {name: value for name, value in vars(file).items() if name.isupper() and isinstance(value, str)}
        catalogue = next(each for each in vars(file).values() if isinstance(each, ReasonCatalogue))
        assert names == {reason: reason for reason in catalogue.sentences}, file.__name__


def test_each_reason_says_one_thing_in_one_sentence() -> None:
    said: dict[str, str] = {}
    for catalogue in CATALOGUES.values():
        for reason, sentence in catalogue.sentences.items():
            assert said.setdefault(reason, sentence) == sentence
            assert sentence.endswith(".")
            assert ". " not in sentence


def test_callers_are_given_the_reasons_of_the_services() -> None:
    assert CATALOGUES["pricing_service"].sentences == pricing.SENTENCES
    assert CATALOGUES["messaging_service"].sentences == messaging.SENTENCES


def test_every_reason_of_a_request_is_a_problem_of_the_gateway_and_no_other() -> None:
    reasons = {each.reason for each in raised() if each.by != "Violation"}
    assert [_where(reason) for reason in sorted(reasons - set(REASONS))] == []
    assert sorted(set(REASONS) - reasons) == []


def test_every_reason_of_a_field_is_one_of_the_gateway_and_no_other() -> None:
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
    """A constant, a table, a parameter of a method and of an inner function, one of a family of endpoints."""
    found = {each.reason for each in raised()}
    assert {"NO_PRICE", "RECIPIENT_OPTED_OUT", "FAR_PAST", "MESSAGING_TIMEOUT", "INVALID_TEXT"} <= found
    assert {"INVALID_CUSTOM_DATA", "CHANNEL_NOT_FOUND", "INVALID_TARGET"} <= found
    assert len(found) > 90
