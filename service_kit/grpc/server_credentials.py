"""What a gRPC server shows and asks for; each new connection gets what the files held at the last look."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    # Slow to import, and only needed by programs that use TLS, which have it already.
    from service_kit.tls.tls_files import TlsMaterial
    from service_kit.tls.watched_tls import WatchedTls


class _Latest:
    """Hands the newest configuration to gRPC, once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news: grpc.ServerCertificateConfiguration | None = None

    def put(self, material: TlsMaterial) -> None:
        configuration = _configuration(material)
        with self._lock:
            self._news = configuration

    def take(self) -> grpc.ServerCertificateConfiguration | None:
        """Called at each connection, on a thread of gRPC; None for no change."""
        with self._lock:
            news, self._news = self._news, None
        return news


def server_credentials(tls: WatchedTls) -> grpc.ServerCredentials:
    """Credentials that follow the files; connections that exist keep those that they began with.

    With authorities, who connects must show a certificate of one of them. Whether they are asked for is settled here
    for good, as it is a setting and no file.
    """
    latest = _Latest()
    tls.on_change(latest.put)
    return grpc.dynamic_ssl_server_credentials(
        _configuration(tls.current),
        latest.take,  # type: ignore[arg-type]  # may give None, as gRPC documents
        require_client_authentication=tls.current.authorities is not None,
    )


def _configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    if material.chain is None or material.key is None:
        raise ValueError("a server needs a certificate and its key")
    return grpc.ssl_server_certificate_configuration([(material.key, material.chain)], material.authorities)
