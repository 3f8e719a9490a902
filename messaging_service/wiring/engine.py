"""What sends: outbox, carriers, routes, claims and desks, put together."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from messaging_service.accounts.manage_account import ManageAccount
from messaging_service.accounts.postgres.postgres_account_store import PostgresAccountStore
from messaging_service.carriers.bind_leases import BindLeases
from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.carrier_fleet import Fleet, RunningCarrier
from messaging_service.carriers.control_carriers import ControlCarriers
from messaging_service.carriers.files.carriers_file import (
    CarrierSpec,
)
from messaging_service.carriers.postgres.carrier_registry import PostgresCarrierRegistry
from messaging_service.carriers.postgres.postgres_bind_leases import PostgresBindLeases
from messaging_service.carriers.route_carriers import RouteCarriers
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.domain.suppression import Exemption
from messaging_service.opt_outs.inbound_processor import InboundProcessor
from messaging_service.opt_outs.opt_outs import OptOuts
from messaging_service.opt_outs.postgres.postgres_inbound import PostgresInbound
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.prices.prices import Prices
from messaging_service.receipts.carrier_callbacks import CarrierCallbacks
from messaging_service.receipts.late_outcomes import KEPT_S, LateOutcomeProcessor
from messaging_service.receipts.postgres.postgres_late_outcomes import PostgresLateOutcomes
from messaging_service.receipts.postgres.postgres_receipt_inbox import PostgresReceiptInbox
from messaging_service.receipts.upkeep import ReceiptProcessor, Sweeper
from messaging_service.sending.attempts import Attempts
from messaging_service.sending.claim_loop import ClaimLoop
from messaging_service.sending.dispatch import Dispatch
from messaging_service.sending.outbox import Acceptance, Accepted, Outbox, Settled, Settlement
from messaging_service.sending.outcomes import Outcomes
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Rules, Windows
from messaging_service.sending.postgres.wake_ups import PostgresWakeUps
from messaging_service.sending.resend_sms import ResendSms
from messaging_service.sending.send_sms import SendLimits, SendSms
from messaging_service.shared.flush_health import FlushHealth
from messaging_service.shared.flush_size import FlushSize
from messaging_service.shared.group_commit import GroupCommit
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.shared.retention import Retention
from messaging_service.wiring.carriers import built_carrier, callbacks_of, carrier_plan
from messaging_service.wiring.events import Watching
from messaging_service.wiring.metrics import MessagingMetrics
from messaging_service.wiring.prices import MAX_WAITING
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.postgres.database import Pool

CONTROL_S = 1.0
"""Seconds between two looks at what operators want of carriers."""
MAX_BATCH = 256
"""Rows of one T1 or T2: beyond it a batch gains nothing and delays its first rows."""
LEAST_BATCH = 64
"""Rows that a batch may have however slow the database is: below it most of the time is the commit's."""


@dataclass(frozen=True, slots=True)
class Seams:
    """Where a test may put itself between the parts; the defaults change nothing."""

    outbox: Callable[[Outbox], Outbox] = lambda outbox: outbox
    carrier: Callable[[CarrierSpec, CarrierSinks, BindLeases], RunningCarrier] = built_carrier
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def process_name() -> str:
    """A name that no other running process has, also after a restart within one pod."""
    return f"{socket.gethostname()}/{os.getpid()}/{time.time_ns():x}"


@dataclass(frozen=True, slots=True)
class Engine:
    """What sends."""

    outbox: Outbox
    accounts: ManageAccount
    fleet: Fleet
    control: ControlCarriers
    receipts: ReceiptProcessor
    inbound: InboundProcessor
    callbacks: CarrierCallbacks
    opt_outs: OptOuts
    retention: Retention
    attempts: Attempts
    dispatch: Dispatch
    wake_ups: PostgresWakeUps
    sweeper: Sweeper
    send: SendSms
    resend: ResendSms
    flushes: FlushHealth


def _inbound_inbox(settings: MessagingSettings, pool: Pool) -> PostgresInbound:
    keywords = Keywords(
        settings.opt_outs.opt_out_keywords,
        settings.opt_outs.opt_in_keywords,
        first_word_counts=settings.opt_outs.keyword_position == "first-word",
    )
    return PostgresInbound(pool, keywords, uuid7, settings.opt_outs.inbound_retention_s)


def build_engine(
    settings: MessagingSettings,
    seams: Seams,
    pool: Pool,
    prices: Prices,
    *,
    watching: Watching,
    metrics: MessagingMetrics,
) -> Engine:
    """Puts it together; nothing connects or runs yet. Raises SettingsError for a carriers file that is wrong."""
    windows = Windows(
        lease_s=settings.sending.lease_s,
        margin_s=settings.sending.lease_margin_s,
        unknown_s=settings.sending.unknown_window_s,
        queue_s=settings.sending.queue_window_s,
        resend_unknown_s=settings.sending.unknown_resend_after_s,
    )
    replica, exemption = process_name(), Exemption(settings.opt_outs.opt_out_exempt_tags)
    rules = Rules(settings.sending.max_retries, settings.accounts.unknown_accounts)
    outbox = seams.outbox(PostgresOutbox(pool, replica, windows, exemption, rules))
    inbox = PostgresReceiptInbox(pool, replica, settings.accounts.charge_policy)
    receipts = ReceiptProcessor(metrics.inbox(inbox), metrics.upkeep, poll_s=1.0)
    retention = Retention(
        inbox, metrics.failures, duty="receipt_retention", keep_s=settings.receipts.receipt_retention_days * 86_400
    )
    plan = carrier_plan(settings)
    suppressions = PostgresSuppressions(pool, replica, exemption)
    inbound = InboundProcessor(_inbound_inbox(settings, pool), suppressions, metrics.opt_outs, poll_s=1.0)
    opt_outs = OptOuts(
        suppressions,
        phone_problem=phone_number_problem,
        new_id=uuid7,
        log=metrics.opt_outs,
        look_again=inbound.look_again,
    )
    late = LateOutcomeProcessor(PostgresLateOutcomes(pool, replica, settings.accounts.charge_policy), metrics.upkeep)
    sinks = CarrierSinks(receipts.take, inbound.take, late.take)
    leases = PostgresBindLeases(pool, replica)
    carriers = [seams.carrier(spec, sinks, leases) for spec in plan.carriers]
    fleet = Fleet(carriers, metrics.fleet, plan.breaker, drain_s=settings.drain_s)
    control = ControlCarriers(fleet, PostgresCarrierRegistry(pool), replica, metrics.failures, every_s=CONTROL_S)
    acceptances: GroupCommit[Acceptance, Accepted] = GroupCommit(
        "acceptance",
        watching.noted(metrics.sending.admitted(outbox.accept)),
        max_batch=MAX_BATCH,
        max_waiting=MAX_WAITING,
        size=FlushSize(LEAST_BATCH, MAX_BATCH, settings.database.flush_target_s),
        meter=metrics.flushes.of("acceptance"),
    )
    settlements: GroupCommit[Settlement, Settled] = GroupCommit(
        "settlement",
        watching.noted(metrics.sending.counted(outbox.settle)),
        max_batch=MAX_BATCH,
        max_waiting=MAX_WAITING,
        size=FlushSize(LEAST_BATCH, MAX_BATCH, settings.database.flush_target_s),
        meter=metrics.flushes.of("settlement"),
    )
    metrics.watch_engine(fleet, acceptances, settlements)
    outcomes = Outcomes(outbox.get_many, metrics.failures)
    attempts = Attempts(
        settlements, outcomes, metrics.attempts, settle_within_s=max(settings.sending.lease_s, KEPT_S), late=late.record
    )
    loops = {
        route.name: ClaimLoop(
            outbox,
            RouteCarriers(route, fleet),
            attempts,
            metrics.failures,
            poll_s=settings.sending.poll_s,
            meter=metrics.sending,
        )
        for route in plan.routes
    }
    direct_url = settings.database.database_direct_url or settings.database.database_url
    wake_ups = PostgresWakeUps(direct_url, pool, lambda: dispatch.wake())  # noqa: PLW0108 - made below
    dispatch = Dispatch(plan.routes, loops, wake_ups)
    send = SendSms(
        prices=prices,
        acceptances=acceptances,
        outbox=outbox,
        attempts=attempts,
        outcomes=outcomes,
        dispatch=dispatch,
        phone_problem=phone_number_problem,
        destination_problem=settings.sending.destinations,
        limits=SendLimits(
            max_units=settings.sending.max_units,
            carrier_grace_s=settings.sending.carrier_grace_s,
            claim_s=settings.sending.lease_s - settings.sending.lease_margin_s,
        ),
        new_id=uuid7,
        now=seams.now,
    )
    resend = ResendSms(
        outbox,
        outcomes,
        dispatch,
        destination_problem=settings.sending.destinations,
        max_retries=settings.sending.max_retries,
        carrier_grace_s=settings.sending.carrier_grace_s,
    )
    sweeper = Sweeper(outbox, metrics.upkeep, routes=dispatch.routes, every_s=settings.sending.sweep_s)
    return Engine(
        outbox=outbox,
        accounts=ManageAccount(PostgresAccountStore(pool)),
        fleet=fleet,
        control=control,
        receipts=receipts,
        inbound=inbound,
        callbacks=callbacks_of(plan, sinks),
        opt_outs=opt_outs,
        retention=retention,
        attempts=attempts,
        dispatch=dispatch,
        wake_ups=wake_ups,
        sweeper=sweeper,
        send=send,
        resend=resend,
        flushes=FlushHealth([acceptances, settlements]),
    )
