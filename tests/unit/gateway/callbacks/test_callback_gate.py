"""Who may post under the paths for carriers."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from gateway_http.callbacks.callback_gate import CallbackGate, callback_secrets
from gateway_http.settings import GatewaySettings
from service_kit.settings import SettingsError, load, networks

SECRET, OTHER = "s3cret-s3cret-s3cret", "0ther_0ther_0ther"


def gate(allowed: str = "", proxies: str = "") -> CallbackGate:
    return CallbackGate(
        [("at", SECRET), ("at-2", OTHER)],
        networks(allowed) if allowed else (),
        networks(proxies) if proxies else (),
    )


def scope(peer: str | None, *forwarded_for: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded_for]
    return {"client": None if peer is None else (peer, 50_000), "headers": [(b"host", b"sms"), *headers]}


def test_each_secret_stands_for_its_carrier_and_nothing_else_for_any() -> None:
    known = gate()
    assert (known.carrier_of(SECRET), known.carrier_of(OTHER)) == ("at", "at-2")
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.upper(), "é" * 20):
        assert known.carrier_of(wrong) is None


def test_a_carrier_may_have_two_secrets_while_it_changes_them() -> None:
    pairs = callback_secrets(f"at={SECRET}, at={OTHER}")
    changing = CallbackGate(pairs, (), ())
    assert {changing.carrier_of(SECRET), changing.carrier_of(OTHER)} == {"at"}


@pytest.mark.parametrize(
    "text",
    ["at", "=" + SECRET, "at=short", f"at={SECRET}/x", f"at={SECRET},", f"at={SECRET},b={SECRET}", "at=" + "x" * 129],
)
def test_secrets_that_cannot_work_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_AFRICASTALKING_SECRETS") as error:
        load(GatewaySettings, {"GATEWAY_AFRICASTALKING_SECRETS": text})
    assert SECRET not in str(error.value)


def test_secrets_do_not_show_in_the_settings() -> None:
    settings = load(GatewaySettings, {"GATEWAY_AFRICASTALKING_SECRETS": f"at={SECRET}"})
    assert settings.africastalking_secrets == (("at", SECRET),)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "host", "10.0.0.1/8", "10.0.0.1,,10.0.0.2"])
def test_networks_that_are_none_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_TRUSTED_PROXIES"):
        load(GatewaySettings, {"GATEWAY_TRUSTED_PROXIES": text})


@pytest.mark.parametrize(
    ("allowed", "peer", "is_let_in"),
    [
        ("", "127.0.0.1", True),
        ("", "::1", True),
        ("", "::ffff:127.0.0.1", True),
        ("", "10.0.0.1", False),
        ("52.48.80.0/24", "52.48.80.7", True),
        ("52.48.80.0/24", "::ffff:52.48.80.7", True),
        ("52.48.80.0/24", "52.48.81.7", False),
        ("52.48.80.0/24", "127.0.0.1", False),
        ("52.48.80.0/24,2001:db8::/32", "2001:db8::5", True),
        ("", None, False),
        ("", "unix socket", False),
    ],
)
def test_only_allowed_addresses_are_let_in(allowed: str, peer: str | None, is_let_in: bool) -> None:
    assert gate(allowed).lets_in(scope(peer)) is is_let_in


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        # Nobody is believed who is not a trusted proxy.
        ("52.48.80.7", ("127.0.0.1",), "52.48.80.7"),
        ("10.0.0.9", ("52.48.80.7",), "52.48.80.7"),
        # What stands before the address that our proxy saw was written by whoever it is.
        ("10.0.0.9", ("127.0.0.1, 52.48.80.7",), "52.48.80.7"),
        ("10.0.0.9", ("127.0.0.1, 52.48.80.7, 10.0.0.8",), "52.48.80.7"),
        ("10.0.0.9", ("127.0.0.1", "52.48.80.7"), "52.48.80.7"),
        ("10.0.0.9", ("[2001:db8::5]",), "2001:db8::5"),
        # A proxy that names nobody, or nonsense, is no address to let in.
        ("10.0.0.9", (), None),
        ("10.0.0.9", ("",), None),
        ("10.0.0.9", ("52.48.80.7, unknown",), None),
        ("10.0.0.9", ("10.0.0.8",), None),
    ],
)
def test_behind_proxies_the_last_address_that_is_not_theirs_counts(
    peer: str, forwarded_for: tuple[str, ...], address: str | None
) -> None:
    found = gate(proxies="10.0.0.0/24").address_of(scope(peer, *forwarded_for))
    assert found == (None if address is None else ipaddress.ip_address(address))


def test_a_proxy_on_this_machine_does_not_make_everybody_local() -> None:
    behind = gate(proxies="127.0.0.1")
    assert not behind.lets_in(scope("127.0.0.1"))
    assert not behind.lets_in(scope("127.0.0.1", "52.48.80.7"))
    assert not behind.lets_in(scope("127.0.0.1", "127.0.0.1, 52.48.80.7"))


def test_without_secrets_nobody_may_post() -> None:
    assert not CallbackGate((), (), ()).is_open
