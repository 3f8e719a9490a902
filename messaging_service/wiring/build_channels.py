"""Builds channels: what notifies people of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uuid_utils.compat import uuid7

from messaging_service.notices.channels.channel_sender import ChannelSender, GuardedChannels
from messaging_service.notices.channels.children import Children
from messaging_service.notices.deliver_events import DeliverEvents
from messaging_service.notices.domain.channels import CHANNEL_KINDS
from messaging_service.notices.domain.retries import Retries
from messaging_service.notices.endpoint_families import CHANNELS
from messaging_service.notices.grpc.channel_servicer import ChannelServicer
from messaging_service.notices.manage_endpoints import ManageEndpoints
from messaging_service.notices.metrics.channel_metrics import ChannelMetrics
from messaging_service.notices.postgres.postgres_delivery_queue import CHANNEL_BATCH_SIZE, PostgresDeliveryQueue
from messaging_service.notices.postgres.postgres_endpoint_store import PostgresEndpointStore
from messaging_service.wiring.messaging_process import Process
from messaging_service.wiring.settings.channel_settings import ChannelSettings


@dataclass(frozen=True, slots=True)
class WiredChannels:
    """What channels offer."""

    servicer: ChannelServicer
    delivering: DeliverEvents
    children: Children
    """The processes that deliver; the builder closes them."""


def build_channels(process: Process, retries: Retries) -> WiredChannels:
    """Puts channels together; nothing runs yet."""
    settings, pool = process.settings.channels, process.pools.notices
    meter = ChannelMetrics(process.registry)
    children = Children(
        child_configuration(settings),
        meter,
        # One more than deliver at a time: the maker of a channel does not wait for a slow messenger.
        at_most=settings.channel_concurrency + 1,
        timeout_s=settings.channel_timeout_s,
        idle_s=settings.channel_idle_s,
    )
    meter.watch_processes(lambda: children.running)
    delivering = DeliverEvents(
        PostgresDeliveryQueue(pool, retries, kinds=CHANNEL_KINDS, size=CHANNEL_BATCH_SIZE, contents=process.contents),
        ChannelSender(children, meter),
        process.failures,
        meter,
        poll_s=process.settings.webhooks.webhook_poll_s,
        at_once=settings.channel_concurrency,
        duty="channel_deliveries",
    )
    endpoints = PostgresEndpointStore(
        pool,
        uuid7,
        CHANNELS,
        most=settings.channel_max_per_account,
        give_up_after=retries.give_up_after,
        contents=process.contents,
    )
    targets = GuardedChannels(children, has_relay=settings.channel_smtp_url is not None)
    manage = ManageEndpoints(CHANNELS, endpoints, targets, new_id=uuid7, now=process.seams.now)
    return WiredChannels(ChannelServicer(manage), delivering, children)


def child_configuration(settings: ChannelSettings) -> dict[str, Any]:
    """The settings that a child process gets, the password of the relay among them."""
    relay = settings.channel_smtp_url
    return {
        "services": sorted(settings.channel_services),
        "networks": [str(network) for network in settings.channel_allowed_networks],
        "relay": None
        if relay is None
        else {
            "host": relay.host,
            "port": relay.port,
            "mode": relay.mode,
            "user": relay.user,
            "password": relay.password,
            "sender": settings.channel_email_from,
        },
    }
