"""Certificates for trying TLS: an authority in a folder, and what it signs for each part of the system."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sms_cli.shared.command_error import CommandError

WORKLOADS: Final = ("gateway", "messaging", "pricing", "operator")
"""Who gets a certificate; the last is who runs commands."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ID: Final = "spiffe://tukupay/ns/sms/sa/"
_AUTHORITY_DAYS: Final = 3_650
_EARLIER: Final = timedelta(hours=1)
"""Clocks of other machines may be behind."""


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def create_certificates(folder: Path, names: Sequence[str], days: int, now: datetime | None = None) -> None:
    """Makes a certificate for each workload in a folder, and an authority where it has none.

    `names`: host names and addresses besides loopback. The authority that is there signs again, so those who know it
    need no new file. Raises CommandError when the folder cannot be written or holds another authority's key.
    """
    now = now or datetime.now(UTC)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _authority(folder, now)
        for workload in WORKLOADS:
            certificate, key = _signed(authority, workload, (*LOOPBACK, *names), now, days)
            # The pair is of two files: whoever looks between the two finds that they do not fit, and looks again.
            _write(folder / f"{workload}.key", _pem(key))
            _write(folder / f"{workload}.crt", certificate.public_bytes(Encoding.PEM))
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error.strerror}", "name another folder") from error
    except ValueError as error:
        raise CommandError(
            f"{folder} holds an authority that cannot be used: {error}", "name another folder, or empty this one"
        ) from error


def tls_variables(folder: Path) -> dict[str, str]:
    """The variables that let all parts, and commands, use the certificates of a folder."""
    file = {path.name: str(path) for path in map(folder.absolute().joinpath, _names())}

    def pair(prefix: str, workload: str) -> dict[str, str]:
        return {
            f"{prefix}_TLS_CERT_FILE": file[f"{workload}.crt"],
            f"{prefix}_TLS_KEY_FILE": file[f"{workload}.key"],
        }

    ca = file["ca.crt"]
    return {
        **pair("GATEWAY", "gateway"),
        **pair("GATEWAY_SERVICES", "gateway"),
        "GATEWAY_SERVICES_TLS_CA_FILE": ca,
        **pair("MESSAGING", "messaging"),
        "MESSAGING_TLS_CLIENT_CA_FILE": ca,
        **pair("MESSAGING_PRICING", "messaging"),
        "MESSAGING_PRICING_TLS_CA_FILE": ca,
        **pair("PRICING", "pricing"),
        "PRICING_TLS_CLIENT_CA_FILE": ca,
        **pair("TUKUPAY", "operator"),
        "TUKUPAY_TLS_CA_FILE": ca,
    }


def _names() -> list[str]:
    return ["ca.crt", *(f"{workload}.{kind}" for workload in WORKLOADS for kind in ("crt", "key"))]


def _authority(folder: Path, now: datetime) -> _Authority:
    certificate_file, key_file = folder / "ca.crt", folder / "ca.key"
    if certificate_file.exists() and key_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("ca.key is not the key of ca.crt")
        return _Authority(certificate, key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TukuPay SMS, for trying TLS")])
    certificate = (
        _builder(name, name, key, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _pem(key))
    _write(certificate_file, certificate.public_bytes(Encoding.PEM))
    return _Authority(certificate, key)


def _signed(
    authority: _Authority, workload: str, names: Sequence[str], now: datetime, days: int
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, workload)])
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(subject, authority.certificate.subject, key, now, days)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(_ID + workload), *(_general_name(name) for name in names)]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, octets: bytes) -> None:
    """Writes a file that only its owner may read; who reads it meanwhile gets the old one or the new one whole."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
    fresh.replace(path)
