"""How calls to the service, and its own, are protected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service_kit.settings import setting
from service_kit.tls.proxied import proxy
from service_kit.tls.tls_settings import CERTIFICATE, GUIDE, KEY, ClientTls, MutualTls


@dataclass(frozen=True, slots=True)
class MessagingTls(MutualTls):
    """TLS of the gRPC server."""

    is_proxied: bool = setting(
        "MESSAGING_TLS",
        "`proxy` where a proxy in front speaks TLS, as a listener of other machines may else not go without",
        parse=proxy,
        default=False,
        default_text="none",
        guide=GUIDE,
    )
    certificate: Path | None = setting("MESSAGING_TLS_CERT_FILE", CERTIFICATE, parse=Path, default=None, guide=GUIDE)
    key: Path | None = setting("MESSAGING_TLS_KEY_FILE", KEY, parse=Path, default=None)
    authorities: Path | None = setting(
        "MESSAGING_TLS_CLIENT_CA_FILE",
        "PEM file of the authorities of its callers, each of whom must then show a certificate",
        parse=Path,
        default=None,
        guide=GUIDE,
    )


@dataclass(frozen=True, slots=True)
class PricingCallTls(ClientTls):
    """TLS of calls to pricing."""

    is_proxied: bool = setting(
        "MESSAGING_PRICING_TLS",
        "`proxy` where the network to pricing is protected otherwise; calls to other machines need that, or TLS",
        parse=proxy,
        default=False,
        default_text="none",
        guide=GUIDE,
    )
    authorities: Path | None = setting(
        "MESSAGING_PRICING_TLS_CA_FILE",
        "PEM file of the authorities of pricing's certificate; calls to it then go over TLS",
        parse=Path,
        default=None,
        guide=GUIDE,
    )
    certificate: Path | None = setting(
        "MESSAGING_PRICING_TLS_CERT_FILE",
        "PEM file of the certificate that messaging shows to pricing",
        parse=Path,
        default=None,
    )
    key: Path | None = setting("MESSAGING_PRICING_TLS_KEY_FILE", KEY, parse=Path, default=None)
