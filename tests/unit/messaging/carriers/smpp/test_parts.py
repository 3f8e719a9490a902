"""The forms in which carriers want a message, read back by a codec that is not ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from messaging_service.carriers.domain.submission import Validity
from messaging_service.carriers.smpp.codec.addresses import Address, phone_in, recipient_address, sender_address
from messaging_service.carriers.smpp.codec.validity import validity_period
from messaging_service.carriers.smpp.parts import PartMaker
from messaging_service.carriers.smpp.smpp_settings import LongText, SmppSettings, TextForm, ValidityForm
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.texts.segmentation import segment
from sandbox_carriers.smpp.texts import fragment_in, text_of

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SENDER = Address(5, 0, "TUKUPAY")
RECIPIENT = Address(1, 1, "254712345678")
LONG = "Habari {} ".format("ndugu [mteja] ") * 20
UCS2 = "Здравствуйте 😀 " * 12
LATIN = "¿Como está? No: ".replace("á", "à") + "señor [Müller] paid £5; "


def settings_with(**changes: Any) -> SmppSettings:
    return SmppSettings("127.0.0.1", 2775, "id", "secret", **changes)


def submits(text: str, wanted: Validity | None = None, **changes: Any) -> list[smpp34.SubmitSm]:
    parts = PartMaker(settings_with(**changes), now=lambda: NOW).parts_of(SENDER, RECIPIENT, segment(text), wanted)
    decoded = [smpp34.decode(part.encode(number)) for number, part in enumerate(parts, 1)]
    return [pdu for pdu in decoded if isinstance(pdu, smpp34.SubmitSm)]


def test_sar_numbers_the_parts_in_parameters_and_leaves_the_text_alone() -> None:
    text = "a" * 153 + "b" * 153 + "c"
    first, second, third = submits(text, long_text=LongText.SAR)
    assert [pdu.short_message for pdu in (first, second, third)] == [b"a" * 153, b"b" * 153, b"c"]
    fragments = [fragment_in(pdu) for pdu in (first, second, third)]
    assert [(fragment.total, fragment.number) for fragment in fragments] == [(3, 1), (3, 2), (3, 3)]
    assert len({fragment.reference for fragment in fragments}) == 1
    assert first.esm_class == 0


@pytest.mark.parametrize("text", [LONG, UCS2])
def test_payload_carries_a_long_text_whole(text: str) -> None:
    (pdu,) = submits(text, long_text=LongText.PAYLOAD)
    assert (pdu.sm_length, pdu.esm_class, pdu.registered_delivery) == (0, 0, 1)
    fragment = fragment_in(pdu)
    assert fragment.total == 1
    assert text_of(fragment.octets, pdu.data_coding) == text


def test_payload_leaves_a_short_text_where_it_is() -> None:
    (pdu,) = submits("Habari", long_text=LongText.PAYLOAD)
    assert (pdu.short_message, pdu.tlvs) == (b"Habari", [])


@pytest.mark.parametrize("mode", [LongText.UDH, LongText.SAR])
@pytest.mark.parametrize("text", [LONG, UCS2, LATIN * 9])
@pytest.mark.parametrize("form", list(TextForm))
def test_as_many_parts_are_sent_as_are_charged_in_every_form(mode: LongText, text: str, form: TextForm) -> None:
    parts = submits(text, long_text=mode, text_form=form)
    assert len(parts) == segment(text).units
    assert "".join(text_of(fragment_in(pdu).octets, pdu.data_coding) for pdu in parts) == text
    assert all(pdu.sm_length <= 160 for pdu in parts)


def test_latin1_is_announced_as_such() -> None:
    (pdu,) = submits(LATIN, text_form=TextForm.LATIN1)
    assert (pdu.data_coding, pdu.short_message) == (3, LATIN.encode("latin-1"))


@pytest.mark.parametrize("text", ["Bei: 5 €", "ΔΦΓ"])
def test_what_latin1_lacks_goes_in_the_alphabet_that_it_was_counted_in(text: str) -> None:
    (pdu,) = submits(text, text_form=TextForm.LATIN1, gsm7_data_coding=241)
    assert pdu.data_coding == 241
    assert text_of(pdu.short_message, 0) == text


def test_a_text_charged_as_ucs2_is_sent_as_ucs2_also_where_latin1_would_fit() -> None:
    (pdu,) = submits("crème brûlée", text_form=TextForm.LATIN1)
    assert pdu.data_coding == 8


def test_the_fields_that_a_carrier_prescribes_are_as_it_prescribes() -> None:
    (pdu,) = submits("Habari", service_type="CMT", registered_delivery=17, gsm7_data_coding=1)
    assert (pdu.service_type, pdu.registered_delivery, pdu.data_coding) == ("CMT", 17, 1)


def test_each_kind_of_sender_has_the_type_and_plan_that_its_setting_says() -> None:
    settings = settings_with(
        sender_name_ton=0,
        sender_name_npi=1,
        sender_short_code_ton=6,
        sender_short_code_npi=9,
        sender_number_ton=2,
        sender_number_npi=8,
        sender_national_ton=7,
        sender_national_npi=10,
        short_code_digits=5,
        recipient_ton=0,
        recipient_npi=3,
    )
    assert sender_address("TUKUPAY", settings) == (0, 1, "TUKUPAY")
    assert sender_address("22141", settings) == (6, 9, "22141")
    assert sender_address("254712345678", settings) == (2, 8, "254712345678")
    assert sender_address("221415", settings) == (7, 10, "221415")
    assert recipient_address("+254712345678", settings) == (0, 3, "254712345678")


@pytest.mark.parametrize(
    ("ton", "digits", "country_code", "phone"),
    [
        (2, "0712345678", "254", "+254712345678"),
        (2, "712345678", "254", "+254712345678"),
        (0, "0712345678", "254", "+254712345678"),
        (0, "0712345678", "", None),
        (2, "712345678", "", None),
        (1, "254712345678", "256", "+254712345678"),
        (0, "00254712345678", "", "+254712345678"),
        (0, "22141", "254", None),
        (0, "712345678", "254", "+254712345678"),
        (4, "712345678", "254", "+254712345678"),
        (2, "0612345678", "39", "+390612345678"),
    ],
)
def test_a_national_number_needs_a_country(ton: int, digits: str, country_code: str, phone: str | None) -> None:
    assert phone_in(ton, digits, country_code) == phone


@pytest.mark.parametrize(
    ("ton", "digits", "country_code", "phone"),
    [
        (2, "254712345678", "254", "+254712345678"),
        (2, "254712345678", "", "+254712345678"),
        (4, "254712345678", "", "+254712345678"),
        (5, "254712345678", "254", "+254712345678"),
        (1, "0712345678", "254", "+254712345678"),
        (1, "712345678", "254", "+254712345678"),
        (1, "+0712345678", "254", "+254712345678"),
        (1, "00254712345678", "254", "+254712345678"),
        (2, "00254712345678", "254", "+254712345678"),
        (2, "12025550123", "254", "+12025550123"),
        (1, "0712345678", "", None),
        (1, "999712345678", "254", None),
        (1, "254", "254", None),
    ],
)
def test_a_type_that_the_digits_contradict_is_not_believed(
    ton: int, digits: str, country_code: str, phone: str | None
) -> None:
    assert phone_in(ton, digits, country_code) == phone


BOTH = "433514171"
"""With the country code 254 before it a number of Kenya, and by itself one of Austria."""


@pytest.mark.parametrize(
    ("ton", "country_code", "phone"),
    [
        (1, "254", f"+{BOTH}"),
        (2, "254", f"+254{BOTH}"),
        (0, "254", f"+254{BOTH}"),
        (1, "", f"+{BOTH}"),
        (0, "", None),
        (2, "", None),
    ],
)
def test_the_type_decides_between_two_readings_that_are_both_numbers(
    ton: int, country_code: str, phone: str | None
) -> None:
    assert phone_number_problem(f"+{BOTH}") is None
    assert phone_number_problem(f"+254{BOTH}") is None
    assert phone_in(ton, BOTH, country_code) == phone


@given(
    ton=st.integers(0, 6),
    digits=st.from_regex(r"\+?(00|0)?(254|7|20|1)?[0-9]{0,12}", fullmatch=True),
    country_code=st.sampled_from(["", "254", "39", "1"]),
)
def test_no_reading_is_a_number_that_the_product_itself_would_refuse(ton: int, digits: str, country_code: str) -> None:
    phone = phone_in(ton, digits, country_code)
    assert phone is None or phone_number_problem(phone) is None


@pytest.mark.parametrize(
    ("left", "form", "field"),
    [
        (timedelta(minutes=10), ValidityForm.RELATIVE, "000000001000000R"),
        (timedelta(days=3, hours=4, minutes=5, seconds=6.9), ValidityForm.RELATIVE, "000003040506000R"),
        (timedelta(days=400), ValidityForm.RELATIVE, "000030000000000R"),
        (timedelta(seconds=-5), ValidityForm.RELATIVE, "000000000001000R"),
        (timedelta(minutes=10), ValidityForm.ABSOLUTE, "261122104000000+"),
        (timedelta(days=10), ValidityForm.ABSOLUTE, "261202103000000+"),
    ],
)
def test_the_expiry_is_told_to_the_carrier(left: timedelta, form: ValidityForm, field: str) -> None:
    east = (NOW + left).astimezone(timezone(timedelta(hours=3)))
    (pdu,) = submits("Your OTP is 123456", Validity(east, left.total_seconds()), validity_form=form)
    assert pdu.validity_period == field
    assert len(field) == 16


def test_a_period_is_told_whatever_the_clock_of_this_machine_says() -> None:
    (pdu,) = submits("Your OTP is 123456", Validity(NOW + timedelta(hours=1, minutes=10), left_s=600))
    assert pdu.validity_period == "000000001000000R"


def test_without_an_expiry_the_default_holds_or_the_carrier_decides() -> None:
    assert validity_period(None, NOW, settings_with()) == ""
    assert validity_period(None, NOW, settings_with(default_validity_s=3_600)) == "000000010000000R"
    (pdu,) = submits("Habari", default_validity_s=86_400)
    assert pdu.validity_period == "000001000000000R"
