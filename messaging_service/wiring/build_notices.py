"""Builds notices: webhooks, channels and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from uuid_utils.compat import uuid7

from messaging_service.carriers.postgres.carrier_registry import PostgresCarrierRegistry
from messaging_service.notices.channels.children import Children
from messaging_service.notices.deliver_events import DeliverEvents, FanOutEvents
from messaging_service.notices.domain.retries import Retries
from messaging_service.notices.endpoint_families import WEBHOOKS
from messaging_service.notices.grpc.alert_servicer import AlertServicer
from messaging_service.notices.grpc.webhook_servicer import WebhookServicer
from messaging_service.notices.manage_alerts import ManageAlerts
from messaging_service.notices.manage_endpoints import ManageEndpoints
from messaging_service.notices.metrics.notice_metrics import NoticeMetrics
from messaging_service.notices.postgres.fan_out import PostgresFanOut
from messaging_service.notices.postgres.notice_view import PostgresNoticeView
from messaging_service.notices.postgres.postgres_alert_store import PostgresAlertStore
from messaging_service.notices.postgres.postgres_delivery_queue import PostgresDeliveryQueue
from messaging_service.notices.postgres.postgres_endpoint_store import PostgresEndpointStore
from messaging_service.notices.watch_for_alerts import WatchForAlerts
from messaging_service.notices.webhooks.guarded_targets import GuardedTargets
from messaging_service.notices.webhooks.webhook_sender import WebhookSender
from messaging_service.shared.gauge_poller import GaugePoller
from messaging_service.shared.kept_archives import Retention
from messaging_service.wiring.build_channels import build_channels
from messaging_service.wiring.build_prices import WiredPrices
from messaging_service.wiring.messaging_process import LOOK_S, Duties, Process, Servicers
from messaging_service.wiring.settings.webhook_settings import WebhookSettings
from tukupay.sms.messaging.v1 import alerts_pb2_grpc, channels_pb2_grpc, webhooks_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredNotices:
    """What notices offer."""

    servicers: Servicers
    duties: Duties
    gauges: Duties
    """Run only where there are metrics."""
    children: Children
    """The processes that deliver to channels; the builder closes them."""


def retries_of(settings: WebhookSettings) -> Retries:
    """How deliveries are tried, by the settings."""
    return Retries(
        give_up_after=timedelta(seconds=settings.webhook_give_up_after_s),
        pauses=tuple(timedelta(seconds=pause) for pause in settings.webhook_pauses_s),
        in_order_tries=settings.webhook_in_order_tries,
        endpoint_pause_at_most=timedelta(seconds=settings.webhook_endpoint_pause_s),
    )


def build_notices(process: Process, prices: WiredPrices) -> WiredNotices:
    """Puts notices together; nothing connects or runs yet."""
    settings, alerts, pool = process.settings.webhooks, process.settings.alerts, process.pools.notices
    meter, log, retries = NoticeMetrics(process.registry), process.failures, retries_of(settings)
    until = retries.give_up_after
    targets = GuardedTargets(settings.webhook_allowed_networks, allow_http=settings.webhook_allow_http)
    delivering = DeliverEvents(
        PostgresDeliveryQueue(pool, retries, contents=process.contents),
        WebhookSender(
            targets,
            timeout_s=settings.webhook_timeout_s,
            now=process.seams.now,
            tracer=process.tracing.tracer,
        ),
        log,
        meter,
        poll_s=settings.webhook_poll_s,
        at_once=settings.webhook_concurrency,
    )
    join = timedelta(seconds=process.settings.channels.channel_join_s)
    fan_out = FanOutEvents(
        PostgresFanOut(pool, uuid7, give_up_after=until, join=join, contents=process.contents),
        delivering,
        log,
        meter,
        every_s=settings.webhook_poll_s,
        keep_s=settings.webhook_retention_days * 86_400.0,
    )
    endpoints = PostgresEndpointStore(
        pool,
        uuid7,
        WEBHOOKS,
        most=settings.webhook_max_per_account,
        give_up_after=until,
        contents=process.contents,
    )
    webhooks = ManageEndpoints(WEBHOOKS, endpoints, targets, new_id=uuid7, now=process.seams.now)
    store = PostgresAlertStore(pool, uuid7, alerts.alert_every_s, give_up_after=until, contents=process.contents)
    watch = WatchForAlerts(
        store, PostgresCarrierRegistry(pool), prices.prices, log, meter, every_s=alerts.alert_every_s
    )
    retention = Retention(store, log, duty="alert_retention", keep_s=alerts.alert_retention_days * 86_400.0)
    channels = build_channels(process, retries)
    look = GaugePoller(PostgresNoticeView(pool), meter, log, duty="webhook_look", every_s=LOOK_S)
    return WiredNotices(
        servicers=(
            partial(alerts_pb2_grpc.add_AlertServiceServicer_to_server, AlertServicer(ManageAlerts(store))),
            partial(channels_pb2_grpc.add_ChannelServiceServicer_to_server, channels.servicer),
            partial(webhooks_pb2_grpc.add_WebhookServiceServicer_to_server, WebhookServicer(webhooks)),
        ),
        duties={
            "webhook_telling": fan_out.run,
            "webhook_deliveries": delivering.run,
            "channel_deliveries": channels.delivering.run,
            "alerts": watch.run,
            "alert_retention": retention.run,
        },
        gauges={"webhook_look": look.run},
        children=channels.children,
    )
