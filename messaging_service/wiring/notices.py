"""Builds what tells customers of events and warns them; bootstrap runs it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from messaging_service.carriers.postgres.carrier_registry import PostgresCarrierRegistry
from messaging_service.notices.deliver_events import DeliverEvents, FanOutEvents
from messaging_service.notices.domain.retries import Retries
from messaging_service.notices.endpoint_families import WEBHOOKS
from messaging_service.notices.grpc.alert_servicer import AlertServicer
from messaging_service.notices.grpc.webhook_servicer import WebhookServicer
from messaging_service.notices.manage_alerts import ManageAlerts, WatchForAlerts
from messaging_service.notices.manage_endpoints import ManageEndpoints
from messaging_service.notices.postgres.alert_store import PostgresAlertStore
from messaging_service.notices.postgres.fan_out import PostgresFanOut
from messaging_service.notices.postgres.notice_view import PostgresNoticeView
from messaging_service.notices.postgres.postgres_delivery_queue import PostgresDeliveryQueue
from messaging_service.notices.postgres.postgres_endpoint_store import PostgresEndpointStore
from messaging_service.notices.webhooks.guarded_targets import GuardedTargets
from messaging_service.notices.webhooks.webhook_sender import WebhookSender
from messaging_service.prices.prices import Prices
from messaging_service.shared.gauge_poller import GaugePoller
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.shared.retention import Retention
from messaging_service.wiring.channels import Channels
from messaging_service.wiring.metrics import MessagingMetrics
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.postgres.database import Pool, create_pool

CONNECTIONS = 3
"""To the database, apart from those of senders: reading what happened may take long."""
POOL_TIMEOUT_S = 30.0
POOL_CLOSE_S = 5.0


def retries_of(settings: MessagingSettings) -> Retries:
    """How deliveries are tried, by the settings."""
    return Retries(
        give_up_after=timedelta(seconds=settings.webhooks.webhook_give_up_after_s),
        pauses=tuple(timedelta(seconds=pause) for pause in settings.webhooks.webhook_pauses_s),
        in_order_tries=settings.webhooks.webhook_in_order_tries,
        endpoint_pause_at_most=timedelta(seconds=settings.webhooks.webhook_endpoint_pause_s),
    )


def notifying_pool(settings: MessagingSettings) -> Pool:
    """Its connections, not open yet."""
    return create_pool(
        settings.database.database_url,
        "messaging-webhooks",
        guards=GUARDS,
        min_size=0,
        max_size=CONNECTIONS,
        timeout_s=POOL_TIMEOUT_S,
        seldom=True,
    )


class Notifying:
    """Endpoints and alerts, and the duties that raise and post."""

    def __init__(
        self, settings: MessagingSettings, pool: Pool, metrics: MessagingMetrics, now: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._meter = metrics.notices
        targets = GuardedTargets(
            settings.webhooks.webhook_allowed_networks, allow_http=settings.webhooks.webhook_allow_http
        )
        log = metrics.failures
        retries = retries_of(settings)
        until = retries.give_up_after
        self._delivering = DeliverEvents(
            PostgresDeliveryQueue(self._pool, retries),
            WebhookSender(targets, timeout_s=settings.webhooks.webhook_timeout_s, now=now),
            log,
            self._meter,
            poll_s=settings.webhooks.webhook_poll_s,
            at_once=settings.webhooks.webhook_concurrency,
        )
        self._telling = FanOutEvents(
            PostgresFanOut(
                self._pool, uuid7, give_up_after=until, join=timedelta(seconds=settings.channels.channel_join_s)
            ),
            self._delivering,
            log,
            self._meter,
            every_s=settings.webhooks.webhook_poll_s,
            keep_s=settings.webhooks.webhook_retention_days * 86_400.0,
        )
        endpoints = PostgresEndpointStore(
            self._pool, uuid7, WEBHOOKS, most=settings.webhooks.webhook_max_per_account, give_up_after=until
        )
        webhooks = ManageEndpoints(WEBHOOKS, endpoints, targets, new_id=uuid7, now=now)
        self.servicer = WebhookServicer(webhooks)
        desk = PostgresAlertStore(self._pool, uuid7, settings.alerts.alert_every_s, give_up_after=until)
        self.alert_servicer = AlertServicer(ManageAlerts(desk))
        self._channels = Channels(settings, self._pool, retries, metrics, now)
        self.channel_servicer = self._channels.servicer
        self._alert_desk = desk
        self._forgetting = Retention(
            desk, log, duty="alert_retention", keep_s=settings.alerts.alert_retention_days * 86_400.0
        )
        self._alert_every_s = settings.alerts.alert_every_s
        self._log = log

    async def open(self) -> None:
        """Connects when something is to be done."""
        await self._pool.open(wait=False)

    def duties(self, prices: Prices) -> dict[str, Coroutine[Any, Any, object]]:
        """What tells, warns and posts, by name; each runs until cancelled."""
        room = PostgresCarrierRegistry(self._pool)
        alerts = WatchForAlerts(self._alert_desk, room, prices, self._log, self._meter, every_s=self._alert_every_s)
        return {
            "webhook_telling": self._telling.run(),
            "webhook_deliveries": self._delivering.run(),
            "channel_deliveries": self._channels.delivering.run(),
            "alerts": alerts.run(),
            "alert_retention": self._forgetting.run(),
        }

    async def looks(self, every_s: float) -> None:
        """Counts what waits and what is open, for as long as there are metrics; runs until cancelled."""
        view = PostgresNoticeView(self._pool)
        await GaugePoller(view, self._meter, self._log, duty="webhook_look", every_s=every_s).run()

    async def close(self) -> None:
        """Disconnects."""
        await self._channels.close()
        await self._pool.close(POOL_CLOSE_S)
