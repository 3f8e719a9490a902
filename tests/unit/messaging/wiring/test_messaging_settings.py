"""What an operator can choose, and the mistakes that are caught at the start."""

from __future__ import annotations

import pytest

from messaging_service.accounts.domain.account import UnknownAccounts
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
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
    assert settings.sending.max_retries == 3
    assert settings.sending.max_units == 10
    assert settings.sending.lease_margin_s + settings.carriers.smpp_response_timeout_s < settings.sending.lease_s
    assert settings.prices.pricing_timeout_s < settings.sending.outcome_wait_s
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
    assert settings.opt_outs.opt_out_keywords == {"basta", "stopall"}
    assert settings.opt_outs.opt_in_keywords == {"anza"}


def test_tags_of_exempt_messages_keep_their_spelling_and_none_is_exempt_unless_set() -> None:
    assert load(MessagingSettings, GOOD).opt_outs.opt_out_exempt_tags == frozenset()
    settings = load(MessagingSettings, GOOD | {"SMS_OPT_OUT_EXEMPT_TAGS": "otp, Login code"})
    assert settings.opt_outs.opt_out_exempt_tags == {"otp", "Login code"}


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


def test_the_relay_of_mail_is_read_from_its_url_and_its_password_is_not_printed() -> None:
    given = {"CHANNEL_SMTP_URL": "smtp+starttls://post:can%40ary@mail.example.com", "CHANNEL_EMAIL_FROM": "a@b.ke"}
    settings = load(MessagingSettings, GOOD | given)
    relay = settings.channels.channel_smtp_url
    assert relay is not None
    assert (relay.host, relay.port, relay.mode, relay.user) == ("mail.example.com", 587, "starttls", "post")
    assert relay.password == "can@ary"
    assert "can@ary" not in repr(settings) + repr(relay)
    relay = load(
        MessagingSettings, GOOD | given | {"CHANNEL_SMTP_URL": "smtps://10.0.0.5:2465"}
    ).channels.channel_smtp_url
    assert relay is not None
    assert (relay.host, relay.port, relay.mode, relay.user, relay.password) == ("10.0.0.5", 2465, "ssl", "", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHANNEL_SMTP_URL", "https://post:canary@mail.example.com"),
        ("CHANNEL_SMTP_URL", "smtp://post:canary@mail.example.com/path"),
        ("CHANNEL_SMTP_URL", "smtp://canary@mail.example.com"),
        ("CHANNEL_SMTP_URL", "smtp://post:canary@"),
        ("CHANNEL_SMTP_URL", "smtp://post:canary@mail.example.com:port"),
        ("CHANNEL_EMAIL_FROM", "TukuPay <a@b.ke>"),
        ("CHANNEL_SERVICES", "slack,dbus"),
        ("CHANNEL_SERVICES", "mailto"),
        ("CHANNEL_ALLOWED_NETWORKS", "10.0.0.1/8"),
    ],
)
def test_a_mistake_in_the_settings_of_channels_is_named_without_its_secret(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        load(MessagingSettings, {**GOOD, name: value})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["CHANNEL_SMTP_URL", "CHANNEL_EMAIL_FROM"])
def test_a_relay_and_its_sender_go_together(name: str) -> None:
    both = {"CHANNEL_SMTP_URL": "smtp://127.0.0.1", "CHANNEL_EMAIL_FROM": "a@b.ke"}
    with pytest.raises((SettingsError, ValueError), match="go together"):
        load(MessagingSettings, {**GOOD, name: both[name]})


def test_who_may_send_and_where_to_is_read_and_mistakes_are_named() -> None:
    settings = load(MessagingSettings, GOOD)
    assert (settings.accounts.unknown_accounts, settings.sending.destinations.allowed) == (
        UnknownAccounts.POSTPAID,
        frozenset({"KE"}),
    )
    chosen = load(MessagingSettings, GOOD | {"SMS_UNKNOWN_ACCOUNTS": "refuse", "SMS_DESTINATIONS": "KE, ug,+881"})
    assert (chosen.accounts.unknown_accounts, chosen.sending.destinations.allowed) == (
        UnknownAccounts.REFUSE,
        frozenset({"KE", "UG", "+881"}),
    )
    with pytest.raises(SettingsError) as caught:
        load(MessagingSettings, GOOD | {"SMS_UNKNOWN_ACCOUNTS": "maybe", "SMS_DESTINATIONS": "Kenya"})
    assert "SMS_UNKNOWN_ACCOUNTS" in str(caught.value)
    assert "postpaid, prepaid, refuse" in str(caught.value)
    assert "SMS_DESTINATIONS" in str(caught.value)
