"""Builds receipts: what carriers report after a submit, and what ends without them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from messaging_service.carriers.files.carriers_file import CarrierPlan
from messaging_service.receipts.carrier_callbacks import CarrierCallbacks
from messaging_service.receipts.grpc.carrier_callback_servicer import CarrierCallbackServicer
from messaging_service.receipts.late_outcomes import LateOutcomeProcessor
from messaging_service.receipts.metrics.receipt_metrics import CountedInbox
from messaging_service.receipts.metrics.upkeep_events import CountedUpkeep
from messaging_service.receipts.postgres.postgres_late_outcomes import PostgresLateOutcomes
from messaging_service.receipts.postgres.postgres_receipt_inbox import PostgresReceiptInbox
from messaging_service.receipts.upkeep import ReceiptProcessor, Sweeper
from messaging_service.shared.kept_archives import Retention
from messaging_service.wiring.build_accounts import WiredAccounts
from messaging_service.wiring.build_carriers import WiredCarriers
from messaging_service.wiring.build_sending import WiredSending
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import carrier_callbacks_pb2_grpc


@dataclass(frozen=True, slots=True)
class ReceiptIntake:
    """What carriers hand receipts and late outcomes to; there before they are."""

    duties: Duties
    receipts: ReceiptProcessor
    late: LateOutcomeProcessor
    log: CountedUpkeep


@dataclass(frozen=True, slots=True)
class WiredReceipts:
    """What receipts offer."""

    servicers: Servicers
    duties: Duties


def build_intake(process: Process, accounts: WiredAccounts, plan: CarrierPlan) -> ReceiptIntake:
    """Puts the intake together; nothing runs yet."""
    pool, replica, charge = process.pools.main, process.replica, process.settings.accounts.charge_policy
    log = CountedUpkeep(process.failures, process.registry)
    inbox = PostgresReceiptInbox(pool, replica, charge, process.contents, plan.modes_of, tracer=process.tracing.tracer)
    names = [spec.name for spec in plan.carriers]
    counted = CountedInbox(inbox, accounts.settled, process.registry, names)
    receipts = ReceiptProcessor(counted, log, poll_s=1.0)
    keep_s = process.settings.receipts.receipt_retention_days * 86_400
    retention = Retention(inbox, process.failures, duty="receipt_retention", keep_s=keep_s)
    return ReceiptIntake(
        duties={"receipts": receipts.run, "receipt_retention": retention.run},
        receipts=receipts,
        late=LateOutcomeProcessor(PostgresLateOutcomes(pool, replica, charge, process.contents), log),
        log=log,
    )


def build_receipts(
    process: Process, intake: ReceiptIntake, carriers: WiredCarriers, sending: WiredSending
) -> WiredReceipts:
    """Puts together what needs carriers and sending; nothing runs yet."""
    callbacks = CarrierCallbacks(carriers.readers, intake.receipts.take, carriers.inbound)
    sweeper = Sweeper(
        sending.outbox, intake.log, routes=sending.dispatch.routes, every_s=process.settings.sending.sweep_s
    )
    return WiredReceipts(
        servicers=(
            partial(
                carrier_callbacks_pb2_grpc.add_CarrierCallbackServiceServicer_to_server,
                CarrierCallbackServicer(callbacks),
            ),
        ),
        duties={**intake.duties, "sweep": sweeper.run},
    )
