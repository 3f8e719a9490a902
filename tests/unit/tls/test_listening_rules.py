"""A service listens to other machines only with authentication and TLS, and calls other machines only over TLS."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from gateway_http.settings import GatewaySettings
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from pricing_service.settings import PricingSettings
from service_kit.settings import SettingsError, load
from service_kit.tls.tls_settings import TlsFiles

NEEDED: dict[type, dict[str, str]] = {
    PricingSettings: {"PRICING_DATABASE_URL": "postgresql://u@127.0.0.1/pricing"},
    MessagingSettings: {
        "MESSAGING_DATABASE_URL": "postgresql://u@127.0.0.1/messaging",
        "SMPP_HOST": "127.0.0.1",
        "SMPP_PORT": "2775",
        "SMPP_SYSTEM_ID": "tukupay",
        "SMPP_PASSWORD": "sandbox",
    },
    GatewaySettings: {},
}
SERVERS = [
    pytest.param(PricingSettings, "PRICING", "PRICING_GRPC_ADDRESS", id="pricing"),
    pytest.param(MessagingSettings, "MESSAGING", "MESSAGING_GRPC_ADDRESS", id="messaging"),
    pytest.param(GatewaySettings, "GATEWAY", "GATEWAY_HTTP_ADDRESS", id="gateway"),
]
CALLS = [
    pytest.param(MessagingSettings, "MESSAGING_PRICING_ADDRESS", "MESSAGING_PRICING_TLS", id="messaging to pricing"),
    pytest.param(GatewaySettings, "GATEWAY_PRICING_ADDRESS", "GATEWAY_SERVICES_TLS", id="gateway to pricing"),
    pytest.param(GatewaySettings, "GATEWAY_MESSAGING_ADDRESS", "GATEWAY_SERVICES_TLS", id="gateway to messaging"),
]
S = TypeVar("S")
ANYWHERE = ("0.0.0.0:9000", "[::]:9000", "10.0.0.5:9000", "sms.example:9000")


def loaded(settings: type[S], environ: dict[str, str]) -> S:
    return load(settings, {**NEEDED[settings], **environ})


def problem(settings: type, environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(settings, environ)
    return str(caught.value)


def access(prefix: str) -> dict[str, str]:
    files = {} if prefix == "GATEWAY" else {f"{prefix}_IDENTITIES_FILE": "/identities.toml"}
    return {f"{prefix}_ACCESS": "required", **files}


@pytest.mark.parametrize("address", ANYWHERE)
@pytest.mark.parametrize(("settings", "prefix", "variable"), SERVERS)
def test_other_machines_are_not_listened_to_openly(settings: type, prefix: str, variable: str, address: str) -> None:
    said = problem(settings, {variable: address})
    assert variable in said
    assert f"set {prefix}_ACCESS to required, and {prefix}_TLS_CERT_FILE and {prefix}_TLS_KEY_FILE to" in said


@pytest.mark.parametrize(("settings", "prefix", "variable"), SERVERS)
def test_authentication_alone_is_not_enough(settings: type, prefix: str, variable: str) -> None:
    said = problem(settings, {variable: "0.0.0.0:9000", **access(prefix)})
    assert f"set {prefix}_TLS_CERT_FILE and {prefix}_TLS_KEY_FILE to the files of its certificate" in said
    assert f"(or {prefix}_TLS to proxy" in said
    assert "_ACCESS" not in said


@pytest.mark.parametrize(("settings", "prefix", "variable"), SERVERS)
def test_tls_alone_is_not_enough(settings: type, prefix: str, variable: str) -> None:
    said = problem(settings, {variable: "0.0.0.0:9000", f"{prefix}_TLS": "proxy"})
    assert f"set {prefix}_ACCESS to required; or listen on 127.0.0.1" in said


@pytest.mark.parametrize("address", ANYWHERE)
@pytest.mark.parametrize(("settings", "prefix", "variable"), SERVERS)
def test_with_both_any_address_is_listened_on(settings: type, prefix: str, variable: str, address: str) -> None:
    files = {f"{prefix}_TLS_CERT_FILE": "/tls.crt", f"{prefix}_TLS_KEY_FILE": "/tls.key"}
    loaded(settings, {variable: address, **access(prefix), **files})
    loaded(settings, {variable: address, **access(prefix), f"{prefix}_TLS": "proxy"})


@pytest.mark.parametrize("prefix", ["PRICING", "MESSAGING", "GATEWAY"])
def test_metrics_are_served_on_any_address(prefix: str) -> None:
    settings = {"PRICING": PricingSettings, "MESSAGING": MessagingSettings, "GATEWAY": GatewaySettings}[prefix]
    loaded(settings, {f"{prefix}_METRICS_ADDRESS": "0.0.0.0:9100"})


@pytest.mark.parametrize(("settings", "variable", "tls"), CALLS)
def test_other_machines_are_not_called_in_plaintext(settings: type, variable: str, tls: str) -> None:
    said = problem(settings, {variable: "pricing.sms:50051"})
    assert f"{variable}: pricing.sms:50051 is another machine" in said
    assert f"set {tls}_CA_FILE to the file of its authority (or {tls} to proxy" in said
    loaded(settings, {variable: "pricing.sms:50051", f"{tls}_CA_FILE": "/ca.crt"})
    loaded(settings, {variable: "pricing.sms:50051", tls: "proxy"})


@pytest.mark.parametrize(("settings", "prefix", "_variable"), SERVERS)
def test_a_certificate_goes_with_its_key(settings: type, prefix: str, _variable: str) -> None:
    cert, key, ca = f"{prefix}_TLS_CERT_FILE", f"{prefix}_TLS_KEY_FILE", f"{prefix}_TLS_CLIENT_CA_FILE"
    assert f"{key}: is required with {cert}" in problem(settings, {cert: "/tls.crt"})
    assert f"{cert}: is required with {key}" in problem(settings, {key: "/tls.key"})
    if prefix != "GATEWAY":
        assert f"{cert}: is required with {ca}" in problem(settings, {ca: "/ca.crt"})
    said = problem(settings, {cert: "/tls.crt", key: "/tls.key", f"{prefix}_TLS": "proxy"})
    assert f"{cert}: {prefix}_TLS is set too, unset one" in said
    assert "'on' is not proxy" in problem(settings, {f"{prefix}_TLS": "on"})


def test_a_client_that_shows_a_certificate_says_whom_it_believes() -> None:
    said = problem(GatewaySettings, {"GATEWAY_SERVICES_TLS_CERT_FILE": "/c.crt", "GATEWAY_SERVICES_TLS_KEY_FILE": "/k"})
    assert "GATEWAY_SERVICES_TLS_CA_FILE: is required with GATEWAY_SERVICES_TLS_CERT_FILE" in said


def test_files_are_those_of_the_variables() -> None:
    environ = {"PRICING_TLS_CERT_FILE": "/c", "PRICING_TLS_KEY_FILE": "/k", "PRICING_TLS_CLIENT_CA_FILE": "/ca"}
    assert loaded(PricingSettings, environ).tls.files == TlsFiles(Path("/c"), Path("/k"), Path("/ca"))
    assert loaded(PricingSettings, {}).tls.files is None
    assert loaded(GatewaySettings, {"GATEWAY_SERVICES_TLS_CA_FILE": "/ca"}).services_tls.files == TlsFiles(
        authorities=Path("/ca")
    )
