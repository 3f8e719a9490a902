"""What settings of TLS mean together, and which addresses need it. Each service gives the variables their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service_kit.settings import Address, env_of
from service_kit.tls.proxied import PROXY

GUIDE: Final = "guides/tls.md"
CERTIFICATE: Final = "PEM file of the certificate, followed by those between it and its authority"
KEY: Final = "PEM file of its private key, without a password"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Which files one side of TLS is made of."""

    certificate: Path | None = None
    """PEM of its own certificate, followed by those between it and the authority; None when it shows none."""
    key: Path | None = None
    """PEM of the private key, without a password; set when the certificate is."""
    authorities: Path | None = None
    """PEM of the authorities whose certificates it accepts from the other side; None when it asks for none."""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows. Each service declares the fields anew, with the names of its variables."""

    is_proxied: bool = False
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """What is missing, or too much."""
        return _problems(cls, values, ("certificate", "key"))

    @property
    def files(self) -> TlsFiles | None:
        """The files; None where TLS is not spoken here."""
        return None if self.certificate is None else TlsFiles(self.certificate, self.key)


@dataclass(frozen=True, slots=True)
class MutualTls(ServerTls):
    """The same for a server that may ask its callers for certificates."""

    authorities: Path | None = None

    @property
    def files(self) -> TlsFiles | None:
        """The files; None where TLS is not spoken here."""
        return None if self.certificate is None else TlsFiles(self.certificate, self.key, self.authorities)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Whose certificates a client takes, and what it shows. Fields are declared anew as those of a server are."""

    is_proxied: bool = False
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """What is missing, or too much."""
        shows_none = not {"certificate", "key"} & values.keys()
        return _problems(cls, values, ("authorities",) if shows_none else ("authorities", "certificate", "key"))

    @property
    def files(self) -> TlsFiles | None:
        """The files; None where TLS is not spoken."""
        return None if self.authorities is None else TlsFiles(self.certificate, self.key, self.authorities)


def _problems(settings: type, values: Mapping[str, object], required: tuple[str, ...]) -> list[str]:
    """`required`: the fields that are needed as soon as one field is given."""
    given = [name for name in values if name != "is_proxied"]
    if "is_proxied" in values:
        return [f"{env_of(settings, name)}: {env_of(settings, 'is_proxied')} is set too, unset one" for name in given]
    return [
        f"{env_of(settings, name)}: is required with {env_of(settings, given[0])}"
        for name in required
        if given and name not in values
    ]


def listening_problems(
    prefix: str, variable: str, address: object, *, authenticates: bool, tls: Mapping[str, object]
) -> list[str]:
    """What is wrong with a server that would listen to other machines without authentication or without TLS.

    `prefix` is that of the service's variables, `variable` the one with the address, which is None where it is not
    set: the default is on loopback. `tls` has the fields of ServerTls that are set.
    """
    if not isinstance(address, Address) or address.is_loopback:
        return []
    missing: list[str] = []
    if not authenticates:
        missing.append(f"{prefix}_ACCESS to required")
    if "is_proxied" not in tls and "certificate" not in tls:
        missing.append(
            f"{prefix}_TLS_CERT_FILE and {prefix}_TLS_KEY_FILE to the files of its certificate "
            f"(or {prefix}_TLS to {PROXY} where a proxy in front speaks TLS)"
        )
    if not missing:
        return []
    return [
        f"{variable}: {address} is reachable from other machines: set {', and '.join(missing)}; or listen on 127.0.0.1"
    ]


def calling_problems(prefix: str, variable: str, address: object, tls: Mapping[str, object]) -> list[str]:
    """What is wrong with calls that would go to another machine without TLS.

    `prefix` is that of the variables of these calls; `address` and `tls` as those of a server.
    """
    if not isinstance(address, Address) or address.is_loopback or "is_proxied" in tls or "authorities" in tls:
        return []
    return [
        f"{variable}: {address} is another machine, and calls to it could be read and changed on the way: set "
        f"{prefix}_TLS_CA_FILE to the file of its authority (or {prefix}_TLS to {PROXY} where the network between is "
        "protected otherwise)"
    ]
