"""Composes the messaging service, opens it, serves, and drains it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.migrations import MIGRATIONS
from messaging_service.shared.postgres.report_turns import ReportTurns
from messaging_service.wiring.build_abuse import WiredAbuse, build_abuse
from messaging_service.wiring.build_access import WiredAccess, build_access
from messaging_service.wiring.build_accounts import build_accounts
from messaging_service.wiring.build_audit import WiredAudit, build_audit
from messaging_service.wiring.build_carriers import WiredCarriers, build_carriers
from messaging_service.wiring.build_events import WiredEvents, build_events
from messaging_service.wiring.build_months import build_months
from messaging_service.wiring.build_notices import WiredNotices, build_notices
from messaging_service.wiring.build_opt_outs import build_opt_outs
from messaging_service.wiring.build_prices import WiredPrices, build_prices
from messaging_service.wiring.build_privacy import WiredPrivacy, build_privacy
from messaging_service.wiring.build_receipts import build_intake, build_receipts
from messaging_service.wiring.build_reports import build_reports
from messaging_service.wiring.build_sending import Needed, WiredSending, build_sending
from messaging_service.wiring.chosen_carriers import carrier_plan
from messaging_service.wiring.connections.pools import REPORTS
from messaging_service.wiring.messaging_process import Duties, Process, Servicers, create_process
from messaging_service.wiring.seams import Seams
from messaging_service.wiring.services import SERVICES
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.access.identities_file import DUTY as IDENTITIES
from service_kit.access.identities_file import IdentitiesFile
from service_kit.access.oidc.verifier import FileVerifier
from service_kit.duties.ending import SharedTime, end_tasks
from service_kit.duties.keep_running import keep_running
from service_kit.grpc.authentication import Resolvers
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.grpc.guarded_server import Guard, guarded_server
from service_kit.metrics.exposition import metrics_served
from service_kit.postgres.error_counts import CALL
from service_kit.readiness import SchemaCheck, SchemaInfo, report_readiness, show_serving
from service_kit.web.probe_listener import Probes, probes_served

STEP_S = 1.5
"""What each step of the end gets at least, also when those before it have used up the drain time."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """All rooms, put together."""

    servicers: Servicers
    duties: Duties
    gauges: Duties
    """Run only where there are metrics."""
    access: WiredAccess
    abuse: WiredAbuse
    prices: WiredPrices
    carriers: WiredCarriers
    events: WiredEvents
    sending: WiredSending
    notices: WiredNotices
    privacy: WiredPrivacy
    audit: WiredAudit
    schema: SchemaCheck


def compose(process: Process) -> Service:
    """Puts all rooms together; nothing connects or runs yet. Raises SettingsError for a carriers file that is wrong."""
    turns = ReportTurns(process.pools.reports, REPORTS, process.replica_reads.reports)
    access = build_access(process)
    accounts = build_accounts(process, turns)
    abuse = build_abuse(process)
    prices = build_prices(process, accounts.destinations)
    opt_outs = build_opt_outs(process)
    plan = carrier_plan(process.settings.carriers)
    intake = build_intake(process, accounts, plan)
    carriers = build_carriers(process, plan, CarrierSinks(intake.receipts.take, opt_outs.take, intake.late.take))
    events = build_events(process)
    needed = Needed(accounts, abuse, prices, opt_outs, carriers, events, late=intake.late.record)
    sending = build_sending(process, needed)
    receipts = build_receipts(process, intake, carriers, sending)
    reports = build_reports(turns, prices, carriers)
    notices = build_notices(process, prices)
    audit = build_audit(process)
    privacy = build_privacy(process)
    months = build_months(process)
    return Service(
        servicers=(
            *access.servicers,
            *accounts.servicers,
            *abuse.servicers,
            *opt_outs.servicers,
            *carriers.servicers,
            *events.servicers,
            *sending.servicers,
            *receipts.servicers,
            *reports.servicers,
            *notices.servicers,
            *privacy.servicers,
            *audit.servicers,
        ),
        duties={
            **access.duties,
            **abuse.duties,
            **prices.duties,
            **opt_outs.duties,
            **carriers.duties,
            **events.duties,
            **sending.duties,
            **receipts.duties,
            **notices.duties,
            **audit.duties,
            **privacy.duties,
            **months.duties,
        },
        gauges={**sending.gauges, **notices.gauges},
        access=access,
        abuse=abuse,
        prices=prices,
        carriers=carriers,
        events=events,
        sending=sending,
        notices=notices,
        privacy=privacy,
        audit=audit,
        schema=SchemaCheck(MIGRATIONS),
    )


async def serve(settings: MessagingSettings, stopping: asyncio.Event, seams: Seams | None = None) -> None:
    """Serves until the event is set, then lets running calls and submits end."""
    async with running(settings, seams or Seams()) as server:
        log.info("messaging.listening", address=f"{settings.grpc_address.host}:{server.port}")
        await stopping.wait()
        log.info("messaging.draining")
        await server.leave(settings.pre_drain_s)


@asynccontextmanager
async def running(settings: MessagingSettings, seams: Seams) -> AsyncIterator[GrpcServer]:
    """The service, listening; NOT_SERVING until the database is reachable and migrated.

    Leaving the context drains it: new calls are turned away, running calls and submits end, then the
    carrier is unbound.
    """
    process = create_process(settings, seams)
    service = compose(process)
    access = settings.access
    identities = IdentitiesFile(access.identities_file)
    tokens = None if access.issuers_file is None else FileVerifier(access.issuers_file)
    resolvers = Resolvers(api_key=service.access.check, jwt=tokens)
    guard = Guard(
        access.access,
        identities,
        resolvers,
        bad_per_minute=access.bad_credentials_per_minute,
        inspectable=access.reflection,
    )
    tls = process.tls.open("server", settings.tls.files)
    server = guarded_server(
        guard,
        process.registry,
        settings.grpc_address,
        SERVICES,
        tls=tls,
        denied=service.audit.refused.note,
        failed=partial(process.database_errors.note, CALL),
        tracer=process.tracing.tracer,
    )
    show_serving(server, process.registry)
    for add_to in service.servicers:
        add_to(server.grpc)
    probes = Probes(
        live=service.sending.flushes.stuck,
        ready=lambda: server.problem,
        started=lambda: service.schema.awaited,
    )
    await process.pools.open()
    try:
        async with probes_served(settings.probes_address, probes):
            await server.start()
            await service.carriers.control.before_start()
            await service.carriers.fleet.start()
            async with metrics_served(settings.metrics_address, process.registry), AsyncExitStack() as ending:
                _run(process, service, server, ending, identities)
                yield server
    finally:
        if tokens is not None:
            await tokens.close()
        await service.prices.channel.close()
        await service.notices.children.close()
        await process.pools.close()
        await process.tracing.close()


def _run(
    process: Process, service: Service, server: GrpcServer, ending: AsyncExitStack, identities: IdentitiesFile
) -> None:
    """Starts everything that runs until the end, and says in which order it ends."""
    settings, sending = process.settings, service.sending
    problems = [sending.flushes.problem, service.privacy.problem]
    process.registry.register(SchemaInfo("messaging", service.schema))
    check = report_readiness(process.pools.main, service.schema, server, problems)
    duties = {**service.duties, **(service.gauges if settings.metrics_address is not None else {})}
    if (look := process.replica_reads.duty(process.pools, process.failures)) is not None:
        duties[look.name] = look.run
    # What was begun last ends first; nothing that fails to end keeps the rest from it.
    dispatching = keep_running("dispatch", sending.dispatch.run(), may_end=True)
    tasks = [dispatching, keep_running("readiness", check)]
    tasks += [keep_running(name, run()) for name, run in duties.items()]
    tasks.append(keep_running("tls", process.tls.run()))
    tasks.append(keep_running(IDENTITIES, identities.duty(process.failures).run()))
    # When nothing counts any more.
    ending.push_async_callback(service.abuse.hours.write_last)
    ending.push_async_callback(end_tasks, tasks)
    time = SharedTime(settings.drain_s, least_s=STEP_S)
    ending.push_async_callback(lambda: sending.attempts.drain(time.left_s))
    ending.push_async_callback(lambda: service.carriers.fleet.stop(time.left_s))
    # A claim must not be cut off in mid-commit.
    ending.push_async_callback(lambda: asyncio.wait({dispatching}, timeout=time.left_s))
    ending.callback(sending.dispatch.stop)
    ending.push_async_callback(lambda: server.stop(time.left_s))
    ending.callback(service.events.tail.close)
    ending.callback(service.access.watch.close)
