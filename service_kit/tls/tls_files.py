"""Reads the files of TLS, and checks that they belong together before anybody uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from service_kit.tls.tls_settings import TlsFiles

MAX_OCTETS: Final = 1_048_576
"""Of one file; a bundle of all public authorities has a quarter of that."""


class TlsFilesError(Exception):
    """The files cannot be used as they are now; the message names the file at fault and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What the files held at one moment; certificate and key belong together."""

    chain: bytes | None
    key: bytes | None = field(repr=False)
    authorities: bytes | None
    expires: datetime | None
    """When the first certificate of the chain ends; None without one."""


def read_tls_files(files: TlsFiles) -> TlsMaterial:
    """What the files hold now. Raises TlsFilesError when one cannot be read, is no PEM, or does not fit the others."""
    chain = _octets(files.certificate)
    key = _octets(files.key)
    authorities = _octets(files.authorities)
    expires: datetime | None = None
    if chain is not None and key is not None:
        leaf = _certificates(chain, files.certificate)[0]
        _check_pair(leaf, key, files)
        expires = leaf.not_valid_after_utc.astimezone(UTC)
    if authorities is not None:
        _certificates(authorities, files.authorities)
    return TlsMaterial(chain, key, authorities, expires)


def _octets(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_OCTETS + 1)
    except OSError as error:
        raise TlsFilesError(f"{path} cannot be read: {error.strerror}") from None
    if len(octets) > MAX_OCTETS:
        raise TlsFilesError(f"{path} has more than {MAX_OCTETS:,} bytes")
    return octets


def _certificates(octets: bytes, path: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(octets)
    except ValueError:
        raise TlsFilesError(f"{path} holds no certificates in PEM") from None


def _check_pair(leaf: x509.Certificate, key: bytes, files: TlsFiles) -> None:
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError:
        raise TlsFilesError(f"{files.key} has a password; give the key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsFilesError(f"{files.key} holds no private key in PEM") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise TlsFilesError(f"the key in {files.key} is not that of the first certificate in {files.certificate}")
