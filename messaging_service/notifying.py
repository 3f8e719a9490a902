"""Builds what tells customers of events; bootstrap runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from uuid_utils.compat import uuid7

from messaging_service.adapters.events_log import EventsLog
from messaging_service.adapters.postgres.webhook_endpoints import PostgresEndpoints
from messaging_service.adapters.postgres.webhook_queue import PostgresDeliveryQueue
from messaging_service.adapters.postgres.webhook_telling import PostgresTelling
from messaging_service.adapters.webhooks.sender import WebhookSender
from messaging_service.adapters.webhooks.targets import GuardedTargets
from messaging_service.settings import MessagingSettings
from messaging_service.transport.webhook_servicer import WebhookServicer
from messaging_service.use_cases.deliver_webhooks import DeliverWebhooks, TellEvents
from messaging_service.use_cases.manage_webhooks import ManageWebhooks
from service_kit.database import Pool, create_pool

CONNECTIONS = 3
"""To the database, apart from those of senders: reading what happened may take long."""
POOL_TIMEOUT_S = 30.0
POOL_CLOSE_S = 5.0


class Notifying:
    """Endpoints, and the duties that post to them."""

    def __init__(self, settings: MessagingSettings, now: Callable[[], datetime]) -> None:
        self._pool = create_pool(
            settings.database_url,
            "messaging-webhooks",
            min_size=0,
            max_size=CONNECTIONS,
            timeout_s=POOL_TIMEOUT_S,
            parallel=False,
        )
        targets = GuardedTargets(settings.webhook_allowed_networks, allow_http=settings.webhook_allow_http)
        log = EventsLog()
        self._delivering = DeliverWebhooks(
            PostgresDeliveryQueue(self._pool),
            WebhookSender(targets, timeout_s=settings.webhook_timeout_s, now=now),
            log,
            poll_s=settings.webhook_poll_s,
            at_once=settings.webhook_concurrency,
        )
        self._telling = TellEvents(
            PostgresTelling(self._pool, uuid7),
            self._delivering,
            log,
            every_s=settings.webhook_poll_s,
            keep_s=settings.webhook_retention_days * 86_400.0,
        )
        webhooks = ManageWebhooks(PostgresEndpoints(self._pool, uuid7), targets, new_id=uuid7, now=now)
        self.servicer = WebhookServicer(webhooks)

    @property
    def pools(self) -> dict[str, Pool]:
        """Its connections, by the name that their figures carry."""
        return {"webhooks": self._pool}

    async def open(self) -> None:
        """Connects when something is to be done."""
        await self._pool.open(wait=False)

    async def run(self) -> None:
        """Tells and posts until cancelled."""
        async with asyncio.TaskGroup() as duties:
            duties.create_task(self._telling.run())
            duties.create_task(self._delivering.run())

    async def close(self) -> None:
        """Disconnects."""
        await self._pool.close(POOL_CLOSE_S)
