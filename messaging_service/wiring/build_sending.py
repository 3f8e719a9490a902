"""Builds the sending engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from messaging_service.abuse.domain.block_counts import BlockCounts
from messaging_service.abuse.domain.recipient_windows import OtpRule
from messaging_service.carriers.carrier import LateOutcomeSink
from messaging_service.carriers.route_carriers import RouteCarriers
from messaging_service.opt_outs.domain.suppression import Exemption
from messaging_service.receipts.late_outcomes import KEPT_S
from messaging_service.sending.attempts import Attempts
from messaging_service.sending.claim_loop import ClaimLoop
from messaging_service.sending.dispatch import Dispatch
from messaging_service.sending.flush_health import FlushHealth
from messaging_service.sending.grpc.messaging_servicer import MessagingServicer
from messaging_service.sending.metrics.attempt_events import CountedAttempts
from messaging_service.sending.metrics.queue_metrics import QueueMetrics
from messaging_service.sending.metrics.sending_metrics import SendingMetrics
from messaging_service.sending.outbox import Acceptance, Accepted, Outbox, Settled, Settlement
from messaging_service.sending.outbox_entries import OutboxEntries
from messaging_service.sending.outcomes import Outcomes
from messaging_service.sending.postgres.postgres_outbox import PostgresOutbox, Rules, Windows
from messaging_service.sending.postgres.queue_view import PostgresQueueView
from messaging_service.sending.postgres.wake_ups import PostgresWakeUps
from messaging_service.sending.resend_sms import ResendSms
from messaging_service.sending.send_sms import SendLimits, SendSms
from messaging_service.shared.domain.outbox_ids import new_outbox_id
from messaging_service.shared.flush_size import FlushSize
from messaging_service.shared.gauge_poller import GaugePoller
from messaging_service.shared.group_commit import GroupCommit
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.wiring.build_abuse import WiredAbuse
from messaging_service.wiring.build_accounts import WiredAccounts
from messaging_service.wiring.build_carriers import WiredCarriers
from messaging_service.wiring.build_events import WiredEvents
from messaging_service.wiring.build_opt_outs import WiredOptOuts
from messaging_service.wiring.build_prices import WiredPrices
from messaging_service.wiring.messaging_process import LOOK_S, MAX_WAITING, Duties, Process, Servicers
from service_kit.errors import ServiceError
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

MAX_BATCH = 256
"""Rows of one T1 or T2: beyond it a batch gains nothing and delays its first rows."""
LEAST_BATCH = 64
"""Rows that a batch may have however slow the database is: below it most of the time is the commit's."""

I = TypeVar("I")  # noqa: E741 - item
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class WiredSending:
    """What sending offers."""

    servicers: Servicers
    duties: Duties
    gauges: Duties
    """Run only where there are metrics."""
    outbox: Outbox
    attempts: Attempts
    dispatch: Dispatch
    flushes: FlushHealth


@dataclass(frozen=True, slots=True)
class Needed:
    """What sending needs of the rooms that it may use, and of those that take up where it ends."""

    accounts: WiredAccounts
    abuse: WiredAbuse
    prices: WiredPrices
    opt_outs: WiredOptOuts
    carriers: WiredCarriers
    events: WiredEvents
    late: LateOutcomeSink
    """Takes outcomes that came after their attempts were called unknown."""


def build_sending(process: Process, needed: Needed) -> WiredSending:
    """Puts sending together; nothing connects or runs yet."""
    settings, routes = process.settings.sending, needed.carriers.routes
    outbox = process.seams.outbox(_outbox(process, needed.opt_outs.exemption, needed.abuse.blocks))
    metrics = SendingMetrics(
        needed.accounts.settled, process.registry, [each.carrier.name for each in needed.carriers.fleet.statuses()]
    )
    acceptances: GroupCommit[Acceptance, Accepted] = _commit(
        process, "acceptance", needed.events.noted(metrics.admitted(outbox.accept))
    )
    settlements: GroupCommit[Settlement, Settled] = _commit(
        process, "settlement", needed.events.noted(metrics.counted(outbox.settle))
    )
    outcomes = Outcomes(outbox.get_many, process.failures)
    attempts = Attempts(
        settlements,
        outcomes,
        CountedAttempts(process.failures),
        settle_within_s=max(settings.lease_s, KEPT_S),
        late=needed.late,
        tracer=process.tracing.tracer,
    )
    loops = {
        route.name: ClaimLoop(
            outbox,
            RouteCarriers(route, needed.carriers.fleet),
            attempts,
            process.failures,
            poll_s=settings.poll_s,
            meter=metrics,
        )
        for route in routes
    }
    direct_url = process.settings.database.database_direct_url or process.settings.database.database_url
    wake_ups = PostgresWakeUps(direct_url, process.pools.main, lambda: dispatch.wake())  # noqa: PLW0108 - made below
    dispatch = Dispatch(routes, loops, wake_ups)
    send = SendSms(
        prices=needed.prices.prices,
        acceptances=acceptances,
        outbox=outbox,
        attempts=attempts,
        outcomes=outcomes,
        dispatch=dispatch,
        phone_problem=phone_number_problem,
        destination_problem=needed.accounts.destinations,
        limits=SendLimits(
            max_units=settings.max_units,
            carrier_grace_s=settings.carrier_grace_s,
            claim_s=settings.lease_s - settings.lease_margin_s,
        ),
        new_id=new_outbox_id,
        now=process.seams.now,
    )
    resend = ResendSms(
        outbox,
        outcomes,
        dispatch,
        destination_problem=needed.accounts.destinations,
        max_retries=settings.max_retries,
        carrier_grace_s=settings.carrier_grace_s,
    )
    servicer = MessagingServicer(
        send,
        resend,
        needed.prices.quote,
        OutboxEntries(outbox),
        default_wait_s=settings.outcome_wait_s,
        tracer=process.tracing.tracer,
    )
    look = GaugePoller(
        PostgresQueueView(process.pools.main),
        QueueMetrics(process.registry),
        process.failures,
        duty="queue_look",
        every_s=LOOK_S,
    )
    return WiredSending(
        servicers=(partial(messaging_pb2_grpc.add_MessagingServiceServicer_to_server, servicer),),
        duties={"wake_ups": wake_ups.run},
        gauges={"queue_look": look.run},
        outbox=outbox,
        attempts=attempts,
        dispatch=dispatch,
        flushes=FlushHealth([acceptances, settlements]),
    )


def _outbox(process: Process, exemption: Exemption, blocks: BlockCounts) -> PostgresOutbox:
    settings = process.settings.sending
    windows = Windows(
        lease_s=settings.lease_s,
        margin_s=settings.lease_margin_s,
        unknown_s=settings.unknown_window_s,
        queue_s=settings.queue_window_s,
        resend_unknown_s=settings.unknown_resend_after_s,
    )
    accounts = process.settings.accounts
    otps = OtpRule(accounts.otp_tags, accounts.otps_per_recipient or None)
    rules = Rules(settings.max_retries, accounts.unknown_accounts, otps)
    return PostgresOutbox(
        process.pools.main,
        process.replica,
        windows,
        exemption,
        rules,
        contents=process.contents,
        blocks=blocks,
        reads=process.replica_reads.lists,
        with_traces=process.tracing.tracer is not None,
    )


def _commit(
    process: Process, name: str, flush: Callable[[Sequence[I]], Awaitable[Sequence[R | ServiceError]]]
) -> GroupCommit[I, R]:
    commit = GroupCommit(
        name,
        flush,
        max_batch=MAX_BATCH,
        max_waiting=MAX_WAITING,
        size=FlushSize(LEAST_BATCH, MAX_BATCH, process.settings.database.flush_target_s),
        meter=process.flushes.of(name),
        traced_as={"db.system.name": "postgresql", "db.operation.name": name},
    )
    process.flushes.watch(name, commit)
    return commit
