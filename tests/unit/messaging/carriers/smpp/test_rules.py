"""The small tables and rules of the SMPP carrier."""

from __future__ import annotations

import pytest

from messaging_service.carriers.domain.submission import OutcomeKind
from messaging_service.carriers.smpp.binds.kept_link import BindWaits, credentials_wait_s
from messaging_service.carriers.smpp.codec.addresses import recipient_address, sender_address
from messaging_service.carriers.smpp.codec.concatenation import ConcatenationReferences
from messaging_service.carriers.smpp.codec.status import Status, bind_remedy, judge, status_name
from messaging_service.carriers.smpp.smpp_settings import SmppSettings

SETTINGS = SmppSettings("127.0.0.1", 2775, "id", "secret")


@pytest.mark.parametrize(
    ("sender_id", "address"),
    [
        ("TUKUPAY", (5, 0, "TUKUPAY")),
        ("Tuku Pay-1", (5, 0, "Tuku Pay-1")),
        ("22141", (3, 0, "22141")),
        ("123456", (3, 0, "123456")),
        ("1234567", (2, 1, "1234567")),
        ("0722000000", (2, 1, "0722000000")),
        ("0800720008", (2, 1, "0800720008")),
        ("722000000", (2, 1, "722000000")),
        ("+254712345678", (1, 1, "254712345678")),
        ("+254800720008", (1, 1, "254800720008")),
        ("254800720008", (1, 1, "254800720008")),
        ("+1234567", (1, 1, "1234567")),
        # Entries from before these were refused at acceptance.
        ("+22141", (3, 0, "22141")),
        ("+0722000000", (2, 1, "0722000000")),
        ("254712345678", (1, 1, "254712345678")),
        ("", None),
        ("TWELVE LETTE", None),
        ("É", None),
        ("a\x00b", None),
        ("1234567890123456", None),
    ],
)
def test_the_kind_of_a_sender_follows_from_its_look(sender_id: str, address: tuple[int, int, str] | None) -> None:
    assert sender_address(sender_id, SETTINGS) == address


@pytest.mark.parametrize(
    ("recipient", "digits"),
    [
        ("+254712345678", "254712345678"),
        ("254712345678", None),
        ("+0712345678", None),
        ("+25471234567890123", None),
        ("+2547x", None),
        ("", None),
    ],
)
def test_a_recipient_is_sent_without_its_plus(recipient: str, digits: str | None) -> None:
    assert recipient_address(recipient, SETTINGS) == (digits and (1, 1, digits))


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (Status.ESME_RTHROTTLED, OutcomeKind.NOT_TAKEN, "CARRIER_THROTTLED"),
        (Status.ESME_RMSGQFUL, OutcomeKind.NOT_TAKEN, "CARRIER_THROTTLED"),
        (Status.ESME_RSYSERR, OutcomeKind.NOT_TAKEN, "CARRIER_BUSY"),
        (Status.ESME_RX_T_APPN, OutcomeKind.NOT_TAKEN, "CARRIER_BUSY"),
        *((status, OutcomeKind.NOT_TAKEN, "CARRIER_UNAVAILABLE") for status in (0x04, 0x05, 0x0D, 0x0E, 0x0F, 0x53)),
        (Status.ESME_RINVDSTADR, OutcomeKind.REFUSED, "INVALID_RECIPIENT"),
        (Status.ESME_RINVSRCADR, OutcomeKind.REFUSED, "INVALID_SENDER"),
        (Status.ESME_RINVMSGLEN, OutcomeKind.REFUSED, "MESSAGE_TOO_LONG"),
        (Status.ESME_RSUBMITFAIL, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (0x444, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
        (0xFFFFFFFF, OutcomeKind.REFUSED, "REJECTED_BY_CARRIER"),
    ],
)
def test_each_status_has_one_meaning(status: int, kind: OutcomeKind, code: str) -> None:
    assert judge(status) == (kind, code)


def test_a_status_reads_as_people_search_for_it() -> None:
    assert status_name(0x0B) == "ESME_RINVDSTADR (0x0000000B)"
    assert status_name(0x410) == "vendor specific (0x00000410)"
    assert status_name(0x99) == "unknown status (0x00000099)"


@pytest.mark.parametrize("status", [0x03, 0x05, 0x0D, 0x0E, 0x0F, 0x999])
def test_each_refused_bind_comes_with_a_remedy(status: int) -> None:
    assert bind_remedy(status)


def test_references_of_one_phone_come_again_only_after_all_others() -> None:
    references = ConcatenationReferences()
    seen = [references.allot("254712345678") for _ in range(256)]
    assert sorted(seen) == list(range(256))
    assert references.allot("254712345678") == seen[0]


def test_references_of_one_phone_do_not_move_those_of_another() -> None:
    references = ConcatenationReferences(random_reference=lambda: 7)
    assert references.allot("a") == 7
    assert references.allot("b") == 7
    assert references.allot("a") == 8


def test_a_phone_that_is_forgotten_starts_anywhere() -> None:
    references = ConcatenationReferences(remembered=1, random_reference=lambda: 255)
    assert [references.allot(phone) for phone in ("a", "a", "b", "a")] == [255, 0, 255, 255]


def test_wrong_credentials_are_tried_again_after_half_of_the_wait_at_least() -> None:
    assert (credentials_wait_s(SETTINGS, lambda: 0.0), credentials_wait_s(SETTINGS, lambda: 1.0)) == (30.0, 60.0)


@pytest.mark.parametrize("failures", [0, 1, 5])
def test_the_waits_for_a_session_that_the_carrier_still_holds_begin_at_five_seconds(failures: int) -> None:
    # The link that was lost before, and each bind that failed meanwhile, count for themselves.
    least = BindWaits(SETTINGS, lambda: 0.0)
    for _ in range(failures):
        least.next_s(None)
    assert [least.next_s(Status.ESME_RALYBND) for _ in range(4)] == [5.0, 10.0, 15.0, 15.0]
    most = BindWaits(SETTINGS, lambda: 1.0)
    assert [most.next_s(Status.ESME_RALYBND) for _ in range(3)] == [10.0, 20.0, 30.0]


def test_waits_of_a_carrier_that_holds_a_session_no_more_go_on_where_the_others_were() -> None:
    waits = BindWaits(SETTINGS, lambda: 0.0)
    assert [waits.next_s(None), waits.next_s(Status.ESME_RALYBND), waits.next_s(None)] == [0.2, 5.0, 0.8]
    assert waits.next_s(Status.ESME_RALYBND) == 5.0
    waits.held()
    assert waits.next_s(None) == 0.2


def test_the_password_does_not_show() -> None:
    assert "secret" not in repr(SmppSettings("127.0.0.1", 2775, "id", "secret"))


def test_every_setting_that_cannot_work_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"port.*binds.*window.*response_timeout_s.*system_id.*password") as error:
        SmppSettings("h", 0, "é", "sécret", binds=0, window=0, response_timeout_s=0)
    assert "sécret" not in str(error.value)
