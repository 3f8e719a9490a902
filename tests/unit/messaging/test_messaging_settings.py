"""What an operator can choose, and the mistakes that are caught at the start."""

from __future__ import annotations

import pytest

from messaging_service.settings import MessagingSettings
from service_kit.settings import SettingsError, load

GOOD = {
    "MESSAGING_DATABASE_URL": "postgresql://user:secret@localhost/messaging",
    "SMPP_HOST": "127.0.0.1",
    "SMPP_PORT": "2775",
    "SMPP_SYSTEM_ID": "tukupay",
    "SMPP_PASSWORD": "secret",
}


def test_the_defaults_fit_together() -> None:
    settings = load(MessagingSettings, GOOD)
    assert settings.max_retries == 3
    assert settings.max_units == 10
    assert settings.lease_margin_s + settings.smpp_response_timeout_s < settings.lease_s
    assert settings.pricing_timeout_s < settings.outcome_wait_s
    assert "secret" not in repr(settings)


def test_every_mistake_is_named_at_once() -> None:
    wrong = {"SMPP_PORT": "0", "SMS_MAX_UNITS": "21", "SMS_LEASE_S": "soon", "MESSAGING_GRPC_ADDRESS": "0.0.0.0:50052"}
    with pytest.raises(SettingsError) as caught:
        load(MessagingSettings, wrong)
    for name in (*wrong, "MESSAGING_DATABASE_URL", "SMPP_HOST", "SMPP_SYSTEM_ID", "SMPP_PASSWORD"):
        assert name in str(caught.value)


@pytest.mark.parametrize("margin", ["30", "31"])
def test_a_claim_that_could_never_be_used_is_refused(margin: str) -> None:
    with pytest.raises((SettingsError, ValueError), match="SMS_LEASE_MARGIN_S"):
        load(MessagingSettings, {**GOOD, "SMS_LEASE_S": "30", "SMS_LEASE_MARGIN_S": margin})


def test_words_of_phones_are_read_without_case_and_punctuation() -> None:
    settings = load(
        MessagingSettings, GOOD | {"SMS_OPT_OUT_KEYWORDS": "Basta!, stop all", "SMS_OPT_IN_KEYWORDS": "anza"}
    )
    assert settings.opt_out_keywords == {"basta", "stopall"}
    assert settings.opt_in_keywords == {"anza"}


def test_tags_of_exempt_messages_keep_their_spelling_and_none_is_exempt_unless_set() -> None:
    assert load(MessagingSettings, GOOD).opt_out_exempt_tags == frozenset()
    settings = load(MessagingSettings, GOOD | {"SMS_OPT_OUT_EXEMPT_TAGS": "otp, Login code"})
    assert settings.opt_out_exempt_tags == {"otp", "Login code"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMS_OPT_OUT_KEYWORDS", "STOP,"),
        ("SMS_OPT_OUT_KEYWORDS", "STOP,?!"),
        ("SMS_OPT_OUT_KEYWORDS", "STOP,start"),
        ("SMS_OPT_OUT_EXEMPT_TAGS", "otp,,login"),
        ("SMS_KEYWORD_POSITION", "anywhere"),
        ("SMS_INBOUND_RETENTION_S", "-1"),
    ],
)
def test_a_mistake_about_opt_outs_is_named(name: str, value: str) -> None:
    with pytest.raises((SettingsError, ValueError), match=name):
        load(MessagingSettings, GOOD | {name: value})
