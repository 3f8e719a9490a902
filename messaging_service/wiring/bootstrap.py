"""Builds the messaging service and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog

from messaging_service.prices.client.book_client import BookClient
from messaging_service.prices.client.live_prices import report_copy
from messaging_service.prices.quote_sms import QuoteSms
from messaging_service.sending.postgres.queue_view import PostgresQueueView
from messaging_service.shared.gauge_poller import GaugePoller
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.shared.postgres.report_turns import ReportBounds, ReportTurns
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.engine import Seams, build_engine
from messaging_service.wiring.events import Watching
from messaging_service.wiring.metrics import MessagingMetrics
from messaging_service.wiring.migrate import MIGRATIONS
from messaging_service.wiring.notices import Notifying, notifying_pool
from messaging_service.wiring.prices import pricing_knowledge
from messaging_service.wiring.servicers import SERVICES, add_servicers
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.duties.ending import SharedTime, end_tasks
from service_kit.duties.keep_running import keep_running
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.metrics import metrics_served
from service_kit.postgres.database import create_pool
from service_kit.readiness import SchemaCheck, report_readiness

LOOK_S = 5.0
"""Seconds between two counts of what waits, while there are metrics."""
POOL_CLOSE_S = 5.0
STEP_S = 1.5
"""What each step of the end gets at least, also when those before it have used up the drain time."""
BILLING_POOL = 3
"""Connections for payments, balances and statements, which wait neither for sends nor for reports."""
REPORTS = ReportBounds()
REPORT_PATIENCE_S = 15 * 60 + 5.0
"""Longest wait for an answer of the database: reports allow it up to 15 minutes for one statement."""
PRICE_BOOK_TIMEOUT_S = 30.0
"""Longest time for one call of a report to the price book."""

log = structlog.get_logger()


async def serve(settings: MessagingSettings, stopping: asyncio.Event, seams: Seams | None = None) -> None:
    """Serves until the event is set, then lets running calls and submits end."""
    async with running(settings, seams or Seams()) as server:
        log.info("messaging.listening", address=f"{settings.grpc_address.host}:{server.port}")
        await stopping.wait()
        log.info("messaging.draining")


@asynccontextmanager
async def running(settings: MessagingSettings, seams: Seams) -> AsyncIterator[GrpcServer]:
    """The service, listening; NOT_SERVING until the database is reachable and migrated.

    Leaving the context drains it: new calls are turned away, running calls and submits end, then the
    carrier is unbound.
    """
    pool = create_pool(
        settings.database.database_url,
        "messaging",
        min_size=2,
        max_size=settings.database.pool_size,
        timeout_s=settings.database.pool_timeout_s,
        guards=GUARDS,
    )
    billing_pool = create_pool(
        settings.database.database_url,
        "messaging-billing",
        guards=GUARDS,
        min_size=0,
        max_size=BILLING_POOL,
        seldom=True,
    )
    reports_pool = create_pool(
        settings.database.database_url,
        "messaging-reports",
        guards=GUARDS,
        min_size=0,
        max_size=REPORTS.connections,
        patience_s=REPORT_PATIENCE_S,
        seldom=True,
    )
    notices_pool = notifying_pool(settings)
    named = {"messaging": pool, "billing": billing_pool, "reports": reports_pool, "webhooks": notices_pool}
    metrics = MessagingMetrics(named)
    watching = Watching(settings, pool, seams.now, metrics.failures)
    named.update(watching.pools)
    notifying = Notifying(settings, notices_pool, metrics, seams.now)
    metrics.watch_watches(lambda: watching.watches)
    pricing = pricing_knowledge(settings, metrics)
    engine = build_engine(settings, seams, pool, pricing.prices, watching=watching, metrics=metrics)
    book = BookClient(pricing.channel, timeout_s=PRICE_BOOK_TIMEOUT_S, now=seams.now, calls=metrics.pricing_calls)
    quote = QuoteSms(
        pricing.prices,
        phone_problem=phone_number_problem,
        destination_problem=settings.sending.destinations,
        max_units=settings.sending.max_units,
        now=seams.now,
    )
    server = GrpcServer(settings.grpc_address, SERVICES, [metrics.server_calls])
    add_servicers(
        server,
        engine=engine,
        pricing=pricing,
        watching=watching,
        notifying=notifying,
        billing_pool=billing_pool,
        reports=ReportTurns(reports_pool, REPORTS),
        quote=quote,
        book=book,
        default_wait_s=settings.sending.outcome_wait_s,
    )
    pools = (pool, billing_pool, reports_pool)
    await asyncio.gather(*(each.open(wait=False) for each in pools), watching.open(), notifying.open())
    try:
        await server.start()
        await engine.control.before_start()
        await engine.fleet.start()
        async with metrics_served(settings.metrics_address, metrics.registry), AsyncExitStack() as ending:
            duties: dict[str, Coroutine[Any, Any, object]] = {
                "readiness": report_readiness(pool, SchemaCheck(MIGRATIONS), server, [engine.flushes.problem]),
                "sweep": engine.sweeper.run(),
                "receipts": engine.receipts.run(),
                "receipt_retention": engine.retention.run(),
                "wake_ups": engine.wake_ups.run(),
                "carriers": engine.control.run(),
                "inbound": engine.inbound.run(),
                "price_watch": pricing.watch.run(),
                "watching": watching.run(),
                **notifying.duties(pricing.prices),
                "price_copy": report_copy(pricing.copy),
            }
            if settings.metrics_address is not None:
                look = GaugePoller(
                    PostgresQueueView(pool), metrics.queue, metrics.failures, duty="queue_look", every_s=LOOK_S
                )
                duties |= {"queue_look": look.run(), "webhook_look": notifying.looks(every_s=LOOK_S)}
            # What was begun last ends first; nothing that fails to end keeps the rest from it.
            dispatching = keep_running("dispatch", engine.dispatch.run(), may_end=True)
            running_duties = [keep_running(name, work) for name, work in duties.items()]
            ending.push_async_callback(end_tasks, [dispatching, *running_duties])
            time = SharedTime(settings.drain_s, least_s=STEP_S)
            ending.push_async_callback(lambda: engine.attempts.drain(time.left_s))
            ending.push_async_callback(lambda: engine.fleet.stop(time.left_s))
            # A claim must not be cut off in mid-commit.
            ending.push_async_callback(lambda: asyncio.wait({dispatching}, timeout=time.left_s))
            ending.callback(engine.dispatch.stop)
            ending.push_async_callback(lambda: server.stop(time.left_s))
            ending.callback(watching.end)
            yield server
    finally:
        await pricing.channel.close()
        await asyncio.gather(watching.close(), notifying.close())
        await asyncio.gather(*(each.close(POOL_CLOSE_S) for each in pools))
