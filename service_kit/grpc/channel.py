"""Client channels to other services."""

from __future__ import annotations

from collections.abc import Sequence

from grpc import aio

from service_kit.grpc.credentialed_channel import Credential, CredentialedChannel
from service_kit.grpc.grpc_server import MAX_MESSAGE_BYTES
from service_kit.settings import Address

CHANNEL_OPTIONS: Sequence[tuple[str, int | str]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.lb_policy_name", "round_robin"),
    # A restarted service is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name the time that a new connection may take: on a busy machine far longer than on an idle one.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def open_channel(address: Address, credential: Credential | None = None) -> aio.Channel:
    """A channel that connects at first use and reconnects by itself; the caller closes it.

    `credential`: the token that every call shows; None for calls without one.
    """
    channel = aio.insecure_channel(str(address), options=CHANNEL_OPTIONS)
    return channel if credential is None else CredentialedChannel(channel, credential)
