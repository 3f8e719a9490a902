"""What a carrier's settings may hold; each mistake is named at once."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from messaging_service.carriers.smpp.binds import tls
from messaging_service.carriers.smpp.binds.tls import tls_context
from messaging_service.carriers.smpp.smpp_settings import IdSpelling, SmppSettings, ValidityForm

GOOD: dict[str, Any] = {"host": "smsc.example", "port": 2775, "system_id": "tukupay", "password": "secret"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        ("port", 65_536),
        ("port", "2775"),
        ("port", True),
        ("system_id", "sixteen letters!"),
        ("system_id", 7),
        ("password", "pass\x00word"),
        ("password", 12345678),
        ("system_type", "é"),
        ("address_range", "2" * 41),
        ("address_range", 22141),
        ("addr_ton", -1),
        ("addr_npi", 256),
        ("interface_version", 0x32),
        ("interface_version", "3.4"),
        ("not_stored_status", 0),
        ("not_stored_status", 0x65),
        ("store_timeout_s", 0),
        ("bind_mode", "both"),
        ("binds", 0),
        ("max_binds", -1),
        ("window", 0),
        ("max_submits_per_s", -1.0),
        ("max_submits_per_s", float("nan")),
        ("throttle_pause_s", 0),
        ("throttle_pause_s", 61),
        ("throttle_pause_max_s", 0.05),
        ("response_timeout_s", 0),
        ("enquire_link_s", 0),
        ("reconnect_max_s", 0.1),
        ("credentials_retry_s", 0),
        ("lease_s", 0),
        ("tls", "yes"),
        ("tls_ca_file", "/ca.pem"),
        ("sender_name_ton", 256),
        ("recipient_npi", -1),
        ("short_code_digits", 0),
        ("service_type", "SIXSIX"),
        ("registered_delivery", 0),
        ("registered_delivery", 2),
        ("long_text", "sars"),
        ("text_form", "ascii"),
        ("gsm7_data_coding", 256),
        ("validity_form", "never"),
        ("default_validity_s", 31 * 86_400),
        ("receipt_ids", IdSpelling.HEX),
        ("receipts", "last"),
        ("receipt_states", "0=delivered"),
        ("receipt_states", {"0": "arrived"}),
        ("receipt_states", {"0": 2}),
        ("receipt_states", {"": "delivered"}),
        ("receipt_states", {"NO CREDIT": "rejected"}),
        ("receipt_states", {"ok": "delivered", "OK": "delivered"}),
        ("receipts_without_type", "yes"),
        ("inbound_alphabet", "utf-8"),
        ("country_code", "+254"),
        ("country_code", "0254"),
        ("country_code", 254),
    ],
)
def test_a_value_that_cannot_work_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"\b{name} "):
        SmppSettings(**{**GOOD, name: value})


def test_all_mistakes_are_told_together_and_without_the_password() -> None:
    wrong = {"port": 0, "binds": 0, "password": "sécret", "country_code": "x"}
    with pytest.raises(ValueError, match=r"port .*binds .*password .*country_code ") as error:
        SmppSettings(**{**GOOD, **wrong})
    assert "cret" not in str(error.value)


def test_a_validity_of_ones_own_needs_a_form_to_tell_it() -> None:
    with pytest.raises(ValueError, match="default_validity_s is set, but validity_form is off"):
        SmppSettings(**GOOD, default_validity_s=60, validity_form=ValidityForm.OFF)


def test_a_key_without_its_certificate_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="tls_key_file needs tls_cert_file"):
        SmppSettings(**GOOD, tls=True, tls_key_file="/key.pem")


@pytest.mark.parametrize("name", ["tls_ca_file", "tls_cert_file"])
def test_a_file_that_cannot_be_used_is_named_at_the_start(tmp_path: Path, name: str) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for path in (nonsense, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match=name):
            tls_context(SmppSettings(**{**GOOD, "tls": True, name: str(path)}))


def test_every_setting_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[5] / "docs/guides/smpp.md").read_text()
    assert [field.name for field in fields(SmppSettings) if f"`{field.name}`" not in guide] == []


def test_every_log_line_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[5] / "docs/guides/smpp.md").read_text()
    sources = Path(tls.__file__).parents[1].rglob("*.py")
    events = {event for source in sources for event in re.findall(r'"(smpp\.[a-z_]+)"', source.read_text())}
    assert len(events) > 20
    assert [event for event in sorted(events) if f"`{event}`" not in guide] == []


def test_tls_always_verifies_the_carrier() -> None:
    context = tls_context(SmppSettings(**GOOD, tls=True))
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    assert tls_context(SmppSettings(**GOOD)) is None
