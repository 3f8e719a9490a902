"""How requests to the gateway, and its calls to the services, are protected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service_kit.settings import setting
from service_kit.tls.proxied import proxy
from service_kit.tls.tls_settings import CERTIFICATE, GUIDE, KEY, ClientTls, ServerTls


@dataclass(frozen=True, slots=True)
class HttpTls(ServerTls):
    """TLS of the HTTP server."""

    is_proxied: bool = setting(
        "GATEWAY_TLS",
        "`proxy` where a proxy in front speaks TLS, as a listener of other machines may else not go without",
        parse=proxy,
        default=False,
        default_text="none",
        guide=GUIDE,
    )
    certificate: Path | None = setting("GATEWAY_TLS_CERT_FILE", CERTIFICATE, parse=Path, default=None, guide=GUIDE)
    key: Path | None = setting("GATEWAY_TLS_KEY_FILE", KEY, parse=Path, default=None)


@dataclass(frozen=True, slots=True)
class ServicesTls(ClientTls):
    """TLS of calls to pricing and messaging."""

    is_proxied: bool = setting(
        "GATEWAY_SERVICES_TLS",
        "`proxy` where the network to the services is protected otherwise; calls to other machines need that, or TLS",
        parse=proxy,
        default=False,
        default_text="none",
        guide=GUIDE,
    )
    authorities: Path | None = setting(
        "GATEWAY_SERVICES_TLS_CA_FILE",
        "PEM file of the authorities of the services' certificates; calls to both then go over TLS",
        parse=Path,
        default=None,
        guide=GUIDE,
    )
    certificate: Path | None = setting(
        "GATEWAY_SERVICES_TLS_CERT_FILE",
        "PEM file of the certificate that the gateway shows to the services",
        parse=Path,
        default=None,
    )
    key: Path | None = setting("GATEWAY_SERVICES_TLS_KEY_FILE", KEY, parse=Path, default=None)
