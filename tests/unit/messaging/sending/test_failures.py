"""Every code that an entry can carry explains itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import messaging_service
from messaging_service.carriers.smpp.codec.status import judge
from messaging_service.opt_outs.domain.suppression import OPTED_OUT
from messaging_service.sending.domain.failures import CATALOGUE, Failure, Resend, failure_of

SOURCE = Path(messaging_service.__file__).parent
QUOTED = re.compile(r"""['"]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)['"]""")
GUIDE = SOURCE.parent / "docs" / "guides" / "error-codes.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \| (now|later|never) \|$", re.MULTILINE)

CARRIERS = ("carriers/africastalking", "carriers/smpp", "carriers/smpp/codec", "carriers/smpp/binds")
"""What submits."""
STATEMENTS = tuple(str(folder.relative_to(SOURCE)) for folder in sorted(SOURCE.glob("*/postgres")))
NOT_CODES = {"MESSAGING_DATABASE_URL"}

NOT_OF_AN_ENTRY = {
    "OUTBOX_ENTRY_NOT_FOUND": "a reason of a refused call",
    "NOT_FAILED": "a reason of a refused call",
    "RETRY_LIMIT_REACHED": "a reason of a refused call",
    "NOT_CANCELLABLE": "a reason of a refused call",
    "MESSAGE_ID_REUSED": "a reason of a refused call",
    "DATABASE_NOT_READY": "a reason of a refused call",
    "ACCOUNT_EXISTS": "a reason of a refused call",
    "REFERENCE_REUSED": "a reason of a refused call",
    "NOT_CHARGED": "a reason of a refused call",
    "REPORTS_BUSY": "a reason of a refused call",
    "CALLER_TOO_SLOW": "a reason of a call that was ended",
    "WEBHOOK_DELETED": "why a delivery to a webhook ended",
    "CHANNEL_DELETED": "why a delivery to a channel ended",
}


def literals_in(*parts: str) -> set[str]:
    path = SOURCE.joinpath(*parts)
    files = [path] if path.is_file() else path.glob("*.py")
    return {word for file in files for word in QUOTED.findall(file.read_text())}


def test_every_answer_of_a_carrier_has_an_explanation() -> None:
    for status in (*range(1, 0x500), 0xFFFF, 0xFFFF_FFFF):
        assert judge(status)[1] in CATALOGUE, hex(status)


def test_every_code_that_statements_write_has_an_explanation() -> None:
    # 'OUTCOME_UNKNOWN' and its like stand in quotes of SQL; reasons of errors stand in quotes of Python.
    in_statements = {
        word
        for folder in STATEMENTS
        for file in (SOURCE / folder).glob("*.py")
        for word in re.findall(r"'([A-Z]+(?:_[A-Z]+)+)'", file.read_text())
    }
    assert {"OUTCOME_UNKNOWN", "NO_OUTCOME_IN_TIME", "CARRIER_UNAVAILABLE", "VALIDITY_OVER"} <= in_statements
    assert in_statements - set(NOT_OF_AN_ENTRY) <= set(CATALOGUE)


def test_every_code_of_an_outcome_has_an_explanation() -> None:
    places = ("sending/attempts.py", "sending/domain/settling.py", *STATEMENTS, *CARRIERS)
    found = {word for place in places for word in literals_in(*place.split("/"))}
    assert {"PARTIALLY_SENT", "CARRIER_NO_ANSWER", "NOT_DELIVERED", "LEASE_OVER"} <= found
    assert found - set(NOT_OF_AN_ENTRY) - NOT_CODES <= set(CATALOGUE)


def test_no_explanation_is_left_over() -> None:
    used = literals_in("sending", "domain", "settling.py")
    for place in (*CARRIERS, *STATEMENTS, "sending", "receipts", "shared"):
        used |= literals_in(*place.split("/"))
    assert set(CATALOGUE) <= used | {"CANCELLED", OPTED_OUT}


@pytest.mark.parametrize("failure", CATALOGUE.values(), ids=lambda failure: failure.code)
def test_an_entry_is_made_of_sentences_and_says_what_to_do(failure: Failure) -> None:
    for text in (failure.meaning, failure.advice):
        assert text[0].isupper()
        assert text.endswith(".")
        assert failure.code not in text
    assert failure.details == f"{failure.meaning} {failure.advice}"
    assert failure_of(failure.code) is failure


def test_a_resend_is_never_advised_where_it_is_refused() -> None:
    assert {CATALOGUE[code].resend for code in ("CANCELLED", "VALIDITY_OVER")} == {Resend.NEVER}


def test_an_unknown_code_is_shown_as_it_is() -> None:
    failure = failure_of("VENDOR_0x0401")
    assert "VENDOR_0x0401" in failure.details
    assert failure.resend is Resend.LATER


def test_the_guide_lists_the_catalogue() -> None:
    written = {row[0]: row[1:] for row in ROW.findall(GUIDE.read_text())}
    assert written == {
        failure.code: (failure.meaning, failure.advice, failure.resend.value) for failure in CATALOGUE.values()
    }
