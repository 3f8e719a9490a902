"""Builds the messaging service and runs it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from grpc import aio
from uuid_utils.compat import uuid7

from messaging_service.adapters.carriers.africastalking import (
    AfricasTalkingCallbacks,
    AfricasTalkingCarrier,
    AfricasTalkingSettings,
)
from messaging_service.adapters.carriers.carriers_file import (
    CarrierPlan,
    CarrierSpec,
    one_carrier,
    read_carriers_file,
)
from messaging_service.adapters.carriers.smpp.carrier import SmppCarrier
from messaging_service.adapters.carriers.smpp.settings import SmppSettings
from messaging_service.adapters.metrics.service import MessagingMetrics
from messaging_service.adapters.migrate import MIGRATIONS
from messaging_service.adapters.phone_numbers import phone_number_problem
from messaging_service.adapters.postgres.bind_leases import PostgresBindLeases
from messaging_service.adapters.postgres.books import PostgresBooks
from messaging_service.adapters.postgres.carrier_room import PostgresCarrierRoom
from messaging_service.adapters.postgres.inbound import PostgresInbound
from messaging_service.adapters.postgres.outbox import PostgresOutbox, Rules, Windows
from messaging_service.adapters.postgres.queue_view import PostgresQueueView
from messaging_service.adapters.postgres.suppressions import PostgresSuppressions
from messaging_service.adapters.postgres.traffic import PostgresTraffic
from messaging_service.adapters.postgres.wake_ups import PostgresWakeUps
from messaging_service.adapters.pricing.audit import CopyAudit
from messaging_service.adapters.pricing.book import BookClient
from messaging_service.adapters.pricing.live_prices import LivePrices, report_copy
from messaging_service.adapters.pricing.questions import PriceQuestions
from messaging_service.adapters.pricing.watch import SILENT_INTERVALS, PriceWatch
from messaging_service.domain.opt_out_keywords import Keywords
from messaging_service.domain.price_copy import PriceCopy
from messaging_service.domain.suppression import Exemption
from messaging_service.settings import MessagingSettings
from messaging_service.transport.account_servicer import AccountServicer
from messaging_service.transport.billing_servicer import BillingServicer
from messaging_service.transport.carrier_callback_servicer import CarrierCallbackServicer
from messaging_service.transport.carrier_servicer import CarrierServicer
from messaging_service.transport.cost_report_servicer import CostReportServicer
from messaging_service.transport.messaging_servicer import MessagingServicer
from messaging_service.transport.suppression_servicer import SuppressionServicer
from messaging_service.use_cases.attempts import Attempts
from messaging_service.use_cases.audit_costs import AuditCosts
from messaging_service.use_cases.bind_leases import BindLeases
from messaging_service.use_cases.carrier import CarrierSinks
from messaging_service.use_cases.carrier_callbacks import CallbackReader, CarrierCallbacks
from messaging_service.use_cases.carrier_fleet import Fleet, RunningCarrier
from messaging_service.use_cases.claim_loop import ClaimLoop
from messaging_service.use_cases.control_carriers import ControlCarriers
from messaging_service.use_cases.dispatch import Dispatch
from messaging_service.use_cases.flush_size import FlushSize
from messaging_service.use_cases.group_commit import GroupCommit
from messaging_service.use_cases.inbound_desk import InboundDesk
from messaging_service.use_cases.late_outcomes import LateDesk
from messaging_service.use_cases.opt_outs import OptOuts
from messaging_service.use_cases.outbox import Acceptance, Accepted, Outbox, Settled, Settlement
from messaging_service.use_cases.outcomes import Outcomes
from messaging_service.use_cases.prices import Prices
from messaging_service.use_cases.queue_watch import QueueWatch
from messaging_service.use_cases.quote_sms import QuoteSms
from messaging_service.use_cases.receipt_retention import ReceiptRetention
from messaging_service.use_cases.rehearse_costs import RehearseCosts
from messaging_service.use_cases.resend_sms import ResendSms
from messaging_service.use_cases.route_carriers import RouteCarriers
from messaging_service.use_cases.send_sms import SendLimits, SendSms
from messaging_service.use_cases.upkeep import ReceiptDesk, Sweeper
from messaging_service.watching import Watching
from service_kit.channel import open_channel
from service_kit.database import Pool, create_pool
from service_kit.grpc_server import GrpcServer
from service_kit.metrics import metrics_served
from service_kit.readiness import SchemaCheck, report_readiness
from tukupay.sms.messaging.v1 import (
    billing_pb2,
    billing_pb2_grpc,
    carrier_callbacks_pb2,
    carrier_callbacks_pb2_grpc,
    carriers_pb2,
    carriers_pb2_grpc,
    messaging_pb2,
    messaging_pb2_grpc,
    suppressions_pb2,
    suppressions_pb2_grpc,
)

SERVICES = tuple(
    service.full_name
    for descriptor in (
        messaging_pb2.DESCRIPTOR,
        billing_pb2.DESCRIPTOR,
        carriers_pb2.DESCRIPTOR,
        carrier_callbacks_pb2.DESCRIPTOR,
        suppressions_pb2.DESCRIPTOR,
    )
    for service in descriptor.services_by_name.values()
)
CONTROL_S = 1.0
"""Seconds between two looks at what operators want of carriers."""
MAX_BATCH = 256
"""Rows of one T1 or T2: beyond it a batch gains nothing and delays its first rows."""
LEAST_BATCH = 64
"""Rows that a batch may have however slow the database is: below it most of the time is the commit's."""
MAX_WAITING = 20_000
"""Requests that may wait for a commit; more are turned away with RESOURCE_EXHAUSTED."""
QUEUE_LOOK_S = 5.0
"""Seconds between two counts of what waits, while there are metrics."""
POOL_CLOSE_S = 5.0
REPORTS_POOL = 2
"""Connections for reports, beside those for sends, so that neither waits for the other."""
REPORTS_TIMEOUT_S = 30.0
"""Longest time for a connection, and for one call to the price book."""

log = structlog.get_logger()


def carrier_plan(settings: MessagingSettings) -> CarrierPlan:
    """The carriers and routes that the settings name. Raises SettingsError for a file that is wrong."""
    if settings.carriers_file is not None:
        return read_carriers_file(settings.carriers_file, os.environ)
    assert settings.smpp_host and settings.smpp_port and settings.smpp_system_id  # noqa: PT018, S101 - cross_check
    return one_carrier(
        settings.smpp_name,
        SmppSettings(
            host=settings.smpp_host,
            port=settings.smpp_port,
            system_id=settings.smpp_system_id,
            password=settings.smpp_password or "",
            system_type=settings.smpp_system_type,
            binds=settings.smpp_binds,
            max_binds=settings.smpp_max_binds,
            lease_s=settings.smpp_bind_lease_s,
            window=settings.smpp_window,
            response_timeout_s=settings.smpp_response_timeout_s,
            enquire_link_s=settings.smpp_enquire_link_s,
        ),
    )


def built_carrier(spec: CarrierSpec, sinks: CarrierSinks, leases: BindLeases) -> RunningCarrier:
    """The carrier of a specification, not started."""
    if isinstance(spec.settings, AfricasTalkingSettings):
        return AfricasTalkingCarrier(spec.settings, sinks, spec.name)
    return SmppCarrier(spec.settings, sinks, spec.name, leases)


@dataclass(frozen=True, slots=True)
class Seams:
    """Where a test may put itself between the parts; the defaults change nothing."""

    outbox: Callable[[Outbox], Outbox] = lambda outbox: outbox
    carrier: Callable[[CarrierSpec, CarrierSinks, BindLeases], RunningCarrier] = built_carrier
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def process_name() -> str:
    """A name that no other running process has, also after a restart within one pod."""
    return f"{socket.gethostname()}/{os.getpid()}/{time.time_ns():x}"


async def serve(settings: MessagingSettings, stopping: asyncio.Event, seams: Seams | None = None) -> None:
    """Serves until the event is set, then lets running calls and submits end."""
    async with running(settings, seams or Seams()) as server:
        log.info("messaging.listening", address=f"{settings.grpc_address.host}:{server.port}")
        await stopping.wait()
        log.info("messaging.draining")


@dataclass(frozen=True, slots=True)
class _Pricing:
    """What the service knows of prices, and how it learns."""

    channel: aio.Channel
    copy: PriceCopy
    questions: PriceQuestions
    prices: LivePrices
    watch: PriceWatch


def _pricing(settings: MessagingSettings, metrics: MessagingMetrics) -> _Pricing:
    channel = open_channel(settings.pricing_address)
    copy = PriceCopy(
        capacity=settings.price_copy_answers,
        silence_s=SILENT_INTERVALS * settings.price_heartbeat_s,
        stale_s=settings.price_stale_s,
        clock=time.monotonic,
    )
    calls = metrics.pricing_calls
    questions = PriceQuestions(channel, timeout_s=settings.pricing_timeout_s, calls=calls)
    prices = LivePrices(questions, copy, max_waiting=MAX_WAITING, meter=metrics.flushes.of("prices"))
    metrics.watch_prices(copy, prices.questions)
    return _Pricing(
        channel=channel,
        copy=copy,
        questions=questions,
        prices=prices,
        watch=PriceWatch(channel, copy, heartbeat_s=settings.price_heartbeat_s, calls=calls),
    )


@dataclass(frozen=True, slots=True)
class _Engine:
    """What sends."""

    outbox: Outbox
    fleet: Fleet
    control: ControlCarriers
    receipts: ReceiptDesk
    inbound: InboundDesk
    callbacks: CarrierCallbacks
    opt_outs: OptOuts
    retention: ReceiptRetention
    attempts: Attempts
    dispatch: Dispatch
    wake_ups: PostgresWakeUps
    sweeper: Sweeper
    send: SendSms
    resend: ResendSms


def _callbacks(plan: CarrierPlan, sinks: CarrierSinks) -> CarrierCallbacks:
    """Where the carriers over HTTP post to, by name."""
    readers: dict[str, CallbackReader] = {
        spec.name: AfricasTalkingCallbacks(spec.name)
        for spec in plan.carriers
        if isinstance(spec.settings, AfricasTalkingSettings)
    }
    return CarrierCallbacks(readers, sinks.receipts, sinks.inbound)


def _inbound_inbox(settings: MessagingSettings, pool: Pool) -> PostgresInbound:
    keywords = Keywords(
        settings.opt_out_keywords, settings.opt_in_keywords, first_word_counts=settings.keyword_position == "first-word"
    )
    return PostgresInbound(pool, keywords, uuid7, settings.inbound_retention_s)


def _engine(
    settings: MessagingSettings,
    seams: Seams,
    pool: Pool,
    prices: Prices,
    *,
    watching: Watching,
    metrics: MessagingMetrics,
) -> _Engine:
    windows = Windows(
        lease_s=settings.lease_s,
        margin_s=settings.lease_margin_s,
        unknown_s=settings.unknown_window_s,
        queue_s=settings.queue_window_s,
        resend_unknown_s=settings.unknown_resend_after_s,
    )
    replica, exemption = process_name(), Exemption(settings.opt_out_exempt_tags)
    rules = Rules(charge=settings.charge_policy, max_retries=settings.max_retries)
    postgres = PostgresOutbox(pool, replica, windows, exemption, rules)
    outbox = seams.outbox(postgres)
    events = metrics.events
    receipts = ReceiptDesk(metrics.inbox(postgres), events, poll_s=1.0)
    retention = ReceiptRetention(postgres, events, keep_s=settings.receipt_retention_days * 86_400)
    plan = carrier_plan(settings)
    suppressions = PostgresSuppressions(pool, replica, exemption)
    inbound = InboundDesk(_inbound_inbox(settings, pool), suppressions, events, poll_s=1.0)
    opt_outs = OptOuts(
        suppressions, phone_problem=phone_number_problem, new_id=uuid7, log=events, look_again=inbound.look_again
    )
    sinks = CarrierSinks(receipts.take, inbound.take, LateDesk(postgres, events).take)
    leases = PostgresBindLeases(pool, replica)
    carriers = [seams.carrier(spec, sinks, leases) for spec in plan.carriers]
    fleet = Fleet(carriers, events, plan.breaker, drain_s=settings.drain_s)
    control = ControlCarriers(fleet, PostgresCarrierRoom(pool), replica, events, every_s=CONTROL_S)
    acceptances: GroupCommit[Acceptance, Accepted] = GroupCommit(
        "acceptance",
        watching.noted(outbox.accept),
        max_batch=MAX_BATCH,
        max_waiting=MAX_WAITING,
        size=FlushSize(LEAST_BATCH, MAX_BATCH, settings.flush_target_s),
        meter=metrics.flushes.of("acceptance"),
    )
    settlements: GroupCommit[Settlement, Settled] = GroupCommit(
        "settlement",
        watching.noted(metrics.sending.counted(outbox.settle)),
        max_batch=MAX_BATCH,
        max_waiting=MAX_WAITING,
        size=FlushSize(LEAST_BATCH, MAX_BATCH, settings.flush_target_s),
        meter=metrics.flushes.of("settlement"),
    )
    metrics.watch_engine(fleet, acceptances, settlements)
    outcomes = Outcomes(outbox.get_many)
    attempts = Attempts(settlements, outcomes, events, settle_within_s=settings.lease_s)
    loops = {
        route.name: ClaimLoop(
            outbox, RouteCarriers(route, fleet), attempts, events, poll_s=settings.poll_s, meter=metrics.sending
        )
        for route in plan.routes
    }
    wake_ups = PostgresWakeUps(settings.database_url, pool, lambda: dispatch.wake())  # noqa: PLW0108 - made below
    dispatch = Dispatch(plan.routes, loops, wake_ups)
    send = SendSms(
        prices=prices,
        acceptances=acceptances,
        outbox=outbox,
        attempts=attempts,
        outcomes=outcomes,
        dispatch=dispatch,
        phone_problem=phone_number_problem,
        limits=SendLimits(
            max_units=settings.max_units,
            carrier_grace_s=settings.carrier_grace_s,
            claim_s=settings.lease_s - settings.lease_margin_s,
        ),
        new_id=uuid7,
        now=seams.now,
    )
    resend = ResendSms(
        outbox, outcomes, dispatch, max_retries=settings.max_retries, carrier_grace_s=settings.carrier_grace_s
    )
    sweeper = Sweeper(outbox, events, routes=dispatch.routes, every_s=settings.sweep_s)
    return _Engine(
        outbox=outbox,
        fleet=fleet,
        control=control,
        receipts=receipts,
        inbound=inbound,
        callbacks=_callbacks(plan, sinks),
        opt_outs=opt_outs,
        retention=retention,
        attempts=attempts,
        dispatch=dispatch,
        wake_ups=wake_ups,
        sweeper=sweeper,
        send=send,
        resend=resend,
    )


@asynccontextmanager
async def running(settings: MessagingSettings, seams: Seams) -> AsyncIterator[GrpcServer]:
    """The service, listening; NOT_SERVING until the database is reachable and migrated.

    Leaving the context drains it: new calls are turned away, running calls and submits end, then the
    carrier is unbound.
    """
    pool = create_pool(
        settings.database_url, "messaging", min_size=2, max_size=settings.pool_size, timeout_s=settings.pool_timeout_s
    )
    reports_pool = create_pool(
        settings.database_url, "messaging-reports", min_size=0, max_size=REPORTS_POOL, timeout_s=REPORTS_TIMEOUT_S
    )
    watching = Watching(settings, pool, seams.now)
    metrics = MessagingMetrics({"messaging": pool, "reports": reports_pool, **watching.pools})
    metrics.watch_watches(lambda: watching.watches)
    pricing = _pricing(settings, metrics)
    engine = _engine(settings, seams, pool, pricing.prices, watching=watching, metrics=metrics)
    traffic = PostgresTraffic(reports_pool)
    book = BookClient(pricing.channel, timeout_s=REPORTS_TIMEOUT_S, now=seams.now, calls=metrics.pricing_calls)
    quote = QuoteSms(pricing.prices, phone_problem=phone_number_problem, max_units=settings.max_units, now=seams.now)
    server = GrpcServer(settings.grpc_address, SERVICES, [metrics.server_calls])
    messaging_pb2_grpc.add_MessagingServiceServicer_to_server(
        MessagingServicer(
            engine.send,
            engine.resend,
            quote,
            engine.outbox,
            watching.calls,
            default_wait_s=settings.outcome_wait_s,
        ),
        server.grpc,
    )
    messaging_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(engine.outbox), server.grpc)
    suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server(SuppressionServicer(engine.opt_outs), server.grpc)
    messaging_pb2_grpc.add_CostReportServiceServicer_to_server(
        CostReportServicer(
            RehearseCosts(traffic, book),
            AuditCosts(traffic, book),
            CopyAudit(pricing.copy, pricing.questions, pricing.watch),
        ),
        server.grpc,
    )
    carriers_pb2_grpc.add_CarrierServiceServicer_to_server(CarrierServicer(engine.control), server.grpc)
    billing_pb2_grpc.add_BillingServiceServicer_to_server(BillingServicer(PostgresBooks(reports_pool)), server.grpc)
    carrier_callbacks_pb2_grpc.add_CarrierCallbackServiceServicer_to_server(
        CarrierCallbackServicer(engine.callbacks), server.grpc
    )
    await pool.open(wait=False)
    await reports_pool.open(wait=False)
    await watching.open()
    try:
        await server.start()
        await engine.control.before_start()
        await engine.fleet.start()
        async with metrics_served(settings.metrics_address, metrics.registry), asyncio.TaskGroup() as tasks:
            dispatching = tasks.create_task(engine.dispatch.run())
            duties = [
                tasks.create_task(report_readiness(pool, SchemaCheck(MIGRATIONS), server)),
                tasks.create_task(engine.sweeper.run()),
                tasks.create_task(engine.receipts.run()),
                tasks.create_task(engine.retention.run()),
                tasks.create_task(engine.wake_ups.run()),
                tasks.create_task(engine.control.run()),
                tasks.create_task(engine.inbound.run()),
                tasks.create_task(pricing.watch.run()),
                tasks.create_task(watching.run()),
                tasks.create_task(report_copy(pricing.copy)),
            ]
            if settings.metrics_address is not None:
                looking = QueueWatch(PostgresQueueView(pool), metrics.queue, metrics.events, every_s=QUEUE_LOOK_S)
                duties.append(tasks.create_task(looking.run()))
            try:
                yield server
            finally:
                watching.end()
                await server.stop(settings.drain_s)
                engine.dispatch.stop()
                await dispatching
                await engine.fleet.stop(settings.drain_s)
                await engine.attempts.drain()
                for duty in duties:
                    duty.cancel()
    finally:
        await pricing.channel.close()
        await watching.close()
        await reports_pool.close(POOL_CLOSE_S)
        await pool.close(POOL_CLOSE_S)
