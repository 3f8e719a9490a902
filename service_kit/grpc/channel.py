"""Client channels to other services."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import grpc
from grpc import aio

from service_kit.grpc.credentialed_channel import Credential, CredentialedChannel
from service_kit.grpc.grpc_server import LIVE, MAX_MESSAGE_BYTES
from service_kit.grpc.renewed_channel import RenewedChannel
from service_kit.settings import Address

if TYPE_CHECKING:
    # Slow to import, and only needed by programs that use TLS, which have it already.
    from service_kit.tls.tls_files import TlsMaterial
    from service_kit.tls.watched_tls import WatchedTls

_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    # A replica that is about to end gets no more calls: those on their way to one that stops would fail. A server
    # without health checks counts as well.
    "healthCheckConfig": {"serviceName": LIVE},
}
CHANNEL_OPTIONS: Sequence[tuple[str, int | str]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # A new replica gets calls within a second of the end of a connection; by default, within 30.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    # A restarted service is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name the time that a new connection may take: on a busy machine far longer than on an idle one.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def open_channel(
    address: Address, credential: Credential | None = None, *, tls: WatchedTls | None = None
) -> aio.Channel:
    """A channel that connects at first use and reconnects by itself; the caller closes it.

    `credential`: the token that every call shows; None for calls without one. `tls`: the authorities of the other
    side's certificate, and the certificate that is shown to it; when they change, calls go over a new connection. None
    for plaintext.
    """
    channel = aio.insecure_channel(str(address), options=CHANNEL_OPTIONS) if tls is None else _renewed(address, tls)
    return channel if credential is None else CredentialedChannel(channel, credential)


def _renewed(address: Address, tls: WatchedTls) -> RenewedChannel:
    def dial(credentials: grpc.ChannelCredentials) -> aio.Channel:
        return aio.secure_channel(str(address), credentials, options=CHANNEL_OPTIONS)

    channel = RenewedChannel(str(address), dial, channel_credentials(tls.current))
    tls.on_change(lambda material: channel.renew(channel_credentials(material)))
    return channel


def channel_credentials(material: TlsMaterial) -> grpc.ChannelCredentials:
    """What a client of gRPC is made with."""
    return grpc.ssl_channel_credentials(material.authorities, material.key, material.chain)
