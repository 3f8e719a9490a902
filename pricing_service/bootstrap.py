"""Builds the pricing service and runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from pricing_service.adapters.chained_pricing_tables import CHAINED_TABLES
from pricing_service.adapters.cost_ids import new_cost_id
from pricing_service.adapters.postgres_costs import PostgresCosts
from pricing_service.adapters.pricing_metrics import PriceBookCollector
from pricing_service.adapters.pricing_session_guards import GUARDS
from pricing_service.domain.price_guards import Guards
from pricing_service.migrations import MIGRATIONS
from pricing_service.settings import PricingSettings
from pricing_service.transport.price_now import render, resolve_price_handler
from pricing_service.transport.servicer import SERVICE_NAME, PricingServicer, UseCases
from pricing_service.use_cases.export_costs import ExportCosts
from pricing_service.use_cases.forget_requests import ForgetRequests
from pricing_service.use_cases.get_current_cost import GetCurrentCost
from pricing_service.use_cases.grouped_reads import GroupedReads
from pricing_service.use_cases.import_costs import ImportCosts
from pricing_service.use_cases.list_costs import ListCosts
from pricing_service.use_cases.list_instants import ListInstants
from pricing_service.use_cases.price_book import PriceBook
from pricing_service.use_cases.resolve_now import ResolveNow
from pricing_service.use_cases.resolve_prices import ResolvePrices
from pricing_service.use_cases.set_cost import SetCost
from pricing_service.use_cases.warm_up import WarmUp
from pricing_service.use_cases.watch_prices import PriceWatch
from pricing_service.use_cases.withdraw_cost import WithdrawCost
from service_kit.access.identities_file import DUTY as IDENTITIES
from service_kit.access.identities_file import IdentitiesFile
from service_kit.access.oidc.verifier import FileVerifier
from service_kit.audit import audit_servicer, refusal_duty
from service_kit.audit.refusal_duty import RefusalDuty
from service_kit.audit.refused_calls import RefusedCalls
from service_kit.duties.duty import Duty
from service_kit.duties.duty_failures import DutyFailures
from service_kit.duties.ending import end_tasks
from service_kit.duties.keep_running import keep_running
from service_kit.grpc.authentication import Resolvers
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.grpc.guarded_server import Guard, guarded_server
from service_kit.metrics.exposition import metrics_served
from service_kit.metrics.registry import new_registry
from service_kit.postgres import hash_chain
from service_kit.postgres.audit_log import PostgresAuditLog
from service_kit.postgres.chain_metrics import ChainCollector
from service_kit.postgres.database import create_pool
from service_kit.postgres.error_counts import CALL, DUTY, DatabaseErrors
from service_kit.postgres.pool_metrics import PoolCollector
from service_kit.process_name import process_name
from service_kit.readiness import SchemaCheck, SchemaInfo, report_readiness, show_serving
from service_kit.tls.tls_uses import TlsUses
from service_kit.tracing.open_tracing import open_tracing
from service_kit.web.probe_listener import Probes, probes_served
from tukupay.sms.common.v1 import audit_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

DATABASE_PATIENCE: Final = timedelta(seconds=2)
"""A database that is silent for this many seconds ends the watches (nobody can tell what they miss) and makes the
service NOT_SERVING."""
WARM_UP_AGAIN_S: Final = 5.0
FORGET_EVERY_S: Final = 3_600.0
"""Between two looks for idempotency keys that have had their time."""
POOL_CLOSE_S: Final = 5.0

log = structlog.get_logger()


async def serve(settings: PricingSettings, stopping: asyncio.Event) -> None:
    """Serves until the event is set, then lets running calls end. Raises OSError when the port is taken."""
    async with running(settings) as server:
        log.info("pricing.listening", address=f"{settings.grpc_address.host}:{server.port}")
        await stopping.wait()
        log.info("pricing.draining")
        await server.leave(settings.pre_drain_s)


@asynccontextmanager
async def running(settings: PricingSettings) -> AsyncIterator[GrpcServer]:
    """The service, listening; says NOT_SERVING until the database is reachable and migrated.

    Leaving the context drains it: watches end at once, other running calls within their time.
    """
    pool = create_pool(
        settings.database_url,
        "pricing",
        max_size=settings.pool_size,
        timeout_s=settings.pool_timeout_s,
        guards=GUARDS,
    )
    costs = PostgresCosts(pool)
    book = PriceBook(
        costs, render, capacity=settings.book_tiers, staleness=timedelta(seconds=settings.book_staleness_s)
    )
    records = GroupedReads(costs, DATABASE_PATIENCE, book.learn)
    resolve_now = ResolveNow(records)
    watch = PriceWatch(costs, timedelta(seconds=settings.watch_interval_s), DATABASE_PATIENCE, book)
    guards = Guards(
        ceilings=settings.guard_ceiling,
        max_changes=settings.guard_max_change,
        past=timedelta(days=settings.guard_past_days),
        future=timedelta(days=settings.guard_future_days),
    )
    registry = new_registry("pricing")
    registry.register(PoolCollector({"pricing": pool}))
    errors = DatabaseErrors(registry, (CALL, DUTY))
    registry.register(PriceBookCollector(book, watch))
    tls = TlsUses()
    registry.register(tls)
    tracing = open_tracing(settings.tracing, registry, service="pricing", instance=process_name())
    identities = IdentitiesFile(settings.identities_file)
    tokens = None if settings.issuers_file is None else FileVerifier(settings.issuers_file)
    audit_log, refused = PostgresAuditLog(pool), RefusedCalls(time.monotonic)
    server = guarded_server(
        Guard(
            settings.access,
            identities,
            Resolvers(jwt=tokens),
            bad_per_minute=settings.bad_credentials_per_minute,
            inspectable=settings.reflection,
        ),
        registry,
        settings.grpc_address,
        [SERVICE_NAME, audit_servicer.SERVICE_NAME],
        tls=tls.open("server", settings.tls.files),
        denied=refused.note,
        failed=partial(errors.note, CALL),
        tracer=tracing.tracer,
    )
    show_serving(server, registry)
    schema = SchemaCheck(MIGRATIONS)
    registry.register(SchemaInfo("pricing", schema))
    use_cases = UseCases(
        set_cost=SetCost(costs, guards, new_cost_id, watch),
        withdraw_cost=WithdrawCost(costs, watch),
        import_costs=ImportCosts(costs, guards, new_cost_id, watch),
        export_costs=ExportCosts(costs),
        get_current_cost=GetCurrentCost(costs),
        list_costs=ListCosts(costs),
        list_instants=ListInstants(costs),
        resolve_prices=ResolvePrices(costs),
        price_watch=watch,
    )
    servicer = PricingServicer(use_cases)
    server.grpc.add_generic_rpc_handlers([resolve_price_handler(book, resolve_now, servicer)])
    pricing_pb2_grpc.add_PricingServiceServicer_to_server(servicer, server.grpc)
    audit_pb2_grpc.add_AuditServiceServicer_to_server(audit_servicer.AuditServicer(audit_log, refused), server.grpc)
    probes = Probes(ready=lambda: server.problem, started=lambda: schema.awaited)
    await pool.open(wait=False)
    try:
        async with (
            probes_served(settings.probes_address, probes),
            metrics_served(settings.metrics_address, registry),
            AsyncExitStack() as ending,
        ):
            await server.start()
            log_of_duties = DutyFailures(
                registry,
                ("warm_up", "forget_requests", hash_chain.DUTY, refusal_duty.DUTY, IDENTITIES),
                partial(errors.note, DUTY),
            )
            chains = hash_chain.HashChains(pool, CHAINED_TABLES, log_of_duties, clock=time.monotonic)
            registry.register(ChainCollector(chains.lags_s))
            forgetting = ForgetRequests(costs, timedelta(days=settings.key_retention_days))
            duties = (
                keep_running("watch", watch.run()),
                keep_running(hash_chain.DUTY, chains.run()),
                keep_running(refusal_duty.DUTY, RefusalDuty(refused, audit_log, log_of_duties).run()),
                keep_running("readiness", report_readiness(pool, schema, server)),
                keep_running(
                    "forget_requests",
                    Duty("forget_requests", _logged(forgetting), log_of_duties, every_s=FORGET_EVERY_S).run(),
                ),
                keep_running("tls", tls.run()),
                keep_running(IDENTITIES, identities.duty(log_of_duties).run()),
                keep_running("warm_up", _warm_up(WarmUp(costs, records, book), log_of_duties), may_end=True),
            )
            # What was begun last ends first; nothing that fails to end keeps the rest from it.
            ending.push_async_callback(end_tasks, duties)
            ending.push_async_callback(server.stop, settings.drain_s)
            ending.callback(watch.close)
            yield server
    finally:
        if tokens is not None:
            await tokens.close()
        await pool.close(POOL_CLOSE_S)
        await tracing.close()


def _logged(forget: ForgetRequests) -> Callable[[], Awaitable[None]]:
    async def forget_once() -> None:
        if count := await forget():
            log.info("pricing.requests_forgotten", count=count)

    return forget_once


async def _warm_up(warm_up: WarmUp, failures: DutyFailures) -> None:
    """Fills the book once; a failure begins it anew, as what was read before it is kept."""

    async def fill() -> None:
        log.info("pricing.book_filled", tiers=await warm_up())
        duty.stop()

    duty = Duty("warm_up", fill, failures, every_s=WARM_UP_AGAIN_S)
    await duty.run()
