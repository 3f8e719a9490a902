"""TLS of an HTTP server: what it speaks, and certificates that are taken while it serves."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # Slow to import, and only needed by programs that use TLS, which have it already.
    from service_kit.tls.tls_files import TlsMaterial
    from service_kit.tls.watched_tls import WatchedTls

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secret and authenticated. Those of 1.3 all are."""


def server_context(tls: WatchedTls) -> ssl.SSLContext:
    """A context for a server whose next handshakes show what the files held at the last look.

    Raises ssl.SSLError when OpenSSL does not take the certificate, such as one with a key that is too short.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    _load(context, tls.current)
    tls.on_change(lambda material: _load(context, material))
    return context


def _load(context: ssl.SSLContext, material: TlsMaterial) -> None:
    if material.chain is None or material.key is None:
        raise ValueError("a server needs a certificate and its key")
    # OpenSSL takes paths only. The files themselves may be others by now, so it gets what was checked, in memory.
    with _in_memory(material.chain) as chain, _in_memory(material.key) as key:
        context.load_cert_chain(chain, key)


@contextmanager
def _in_memory(octets: bytes) -> Iterator[Path]:
    """A path to octets that are on no disk, for this process alone."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(octets)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
