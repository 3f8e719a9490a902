"""Every code that an entry can carry explains itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import messaging_service
from messaging_service.adapters.carriers.smpp.status import judge
from messaging_service.domain.failures import CATALOGUE, explain
from messaging_service.domain.submission import OutcomeKind

SOURCE = Path(messaging_service.__file__).parent
QUOTED = re.compile(r"""['"]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)['"]""")

NOT_OF_AN_ENTRY = {
    "CARRIER_THROTTLED": "goes with NOT_TAKEN, which leaves no error on the entry",
    "LEASE_OVER": "goes with NOT_TAKEN, which leaves no error on the entry",
}


def literals_in(*parts: str) -> set[str]:
    path = SOURCE.joinpath(*parts)
    files = [path] if path.is_file() else path.glob("*.py")
    return {word for file in files for word in QUOTED.findall(file.read_text())}


def test_every_answer_of_a_carrier_has_an_explanation() -> None:
    for status in (*range(1, 0x500), 0xFFFF, 0xFFFF_FFFF):
        kind, code = judge(status)
        assert code in CATALOGUE or (kind is OutcomeKind.NOT_TAKEN and code in NOT_OF_AN_ENTRY), hex(status)


def test_every_code_that_statements_write_has_an_explanation() -> None:
    # 'OUTCOME_UNKNOWN' and its like stand in quotes of SQL; reasons of errors stand in quotes of Python.
    in_statements = {
        word
        for name in ("queue.py", "amending.py", "settlement.py", "receipts.py")
        for word in re.findall(r"'([A-Z]+(?:_[A-Z]+)*)'", (SOURCE / "adapters" / "postgres" / name).read_text())
    }
    assert {
        "OUTCOME_UNKNOWN",
        "NO_OUTCOME_IN_TIME",
        "CARRIER_BUSY",
        "CARRIER_UNAVAILABLE",
        "CANCELLED",
    } <= in_statements
    assert in_statements <= set(CATALOGUE)


def test_every_code_of_an_outcome_has_an_explanation() -> None:
    places = ("adapters/carriers/smpp/carrier.py", "use_cases/attempts.py", "domain/settling.py")
    found = {word for place in places for word in literals_in(*place.split("/"))}
    assert {"PARTIALLY_SENT", "CARRIER_NO_ANSWER", "NOT_DELIVERED", "LEASE_OVER"} <= found
    assert found - set(NOT_OF_AN_ENTRY) <= set(CATALOGUE)


def test_no_explanation_is_left_over() -> None:
    used = literals_in("adapters", "postgres") | literals_in("adapters", "carriers", "smpp")
    used |= literals_in("domain", "settling.py") | literals_in("use_cases") | {"CANCELLED"}
    assert set(CATALOGUE) <= used


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_an_explanation_is_a_sentence(code: str) -> None:
    text = explain(code)
    assert text == CATALOGUE[code]
    assert text[0].isupper()
    assert text.endswith(".")
    assert code not in text


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert "VENDOR_0x0401" in explain("VENDOR_0x0401")
