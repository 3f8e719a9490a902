"""Builds what tells people of events; notifying runs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
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
from messaging_service.notices.postgres.postgres_delivery_queue import CHANNEL_BATCH_SIZE, PostgresDeliveryQueue
from messaging_service.notices.postgres.postgres_endpoint_store import PostgresEndpointStore
from messaging_service.wiring.metrics import MessagingMetrics
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.postgres.database import Pool


class Channels:
    """Channels, the duty that tells them, and the processes that it needs."""

    def __init__(
        self,
        settings: MessagingSettings,
        pool: Pool,
        retries: Retries,
        metrics: MessagingMetrics,
        now: Callable[[], datetime],
    ) -> None:
        self._children = Children(
            child_configuration(settings),
            metrics.channels,
            # One more than tell at a time: whoever makes a channel does not wait for a messenger that is slow.
            at_most=settings.channels.channel_concurrency + 1,
            timeout_s=settings.channels.channel_timeout_s,
            idle_s=settings.channels.channel_idle_s,
        )
        metrics.channels.watch_processes(lambda: self._children.running)
        self.delivering = DeliverEvents(
            PostgresDeliveryQueue(pool, retries, kinds=CHANNEL_KINDS, size=CHANNEL_BATCH_SIZE),
            ChannelSender(self._children, metrics.channels),
            metrics.failures,
            metrics.channels,
            poll_s=settings.webhooks.webhook_poll_s,
            at_once=settings.channels.channel_concurrency,
            duty="channel_deliveries",
        )
        endpoints = PostgresEndpointStore(
            pool, uuid7, CHANNELS, most=settings.channels.channel_max_per_account, give_up_after=retries.give_up_after
        )
        targets = GuardedChannels(self._children, has_relay=settings.channels.channel_smtp_url is not None)
        self.servicer = ChannelServicer(ManageEndpoints(CHANNELS, endpoints, targets, new_id=uuid7, now=now))

    async def close(self) -> None:
        """Ends its processes."""
        await self._children.close()


def child_configuration(settings: MessagingSettings) -> dict[str, Any]:
    """What a child is told of the settings, the password of the relay among them."""
    relay = settings.channels.channel_smtp_url
    return {
        "services": sorted(settings.channels.channel_services),
        "networks": [str(network) for network in settings.channels.channel_allowed_networks],
        "relay": None
        if relay is None
        else {
            "host": relay.host,
            "port": relay.port,
            "mode": relay.mode,
            "user": relay.user,
            "password": relay.password,
            "sender": settings.channels.channel_email_from,
        },
    }
