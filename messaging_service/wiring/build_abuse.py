"""Builds what keeps accounts from being abused, beside what the acceptance of messages counts itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from messaging_service.abuse.domain.block_counts import BlockCounts
from messaging_service.abuse.domain.conversion import KEPT
from messaging_service.abuse.feedback import Feedback
from messaging_service.abuse.grpc.feedback_servicer import FeedbackServicer
from messaging_service.abuse.postgres import block_hours
from messaging_service.abuse.postgres.block_hours import BlockHours
from messaging_service.abuse.postgres.postgres_feedback import PostgresAbuseCounts, PostgresFeedback
from messaging_service.shared.kept_archives import Retention
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import feedback_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredAbuse:
    """What the room offers."""

    servicers: Servicers
    duties: Duties
    blocks: BlockCounts
    """Takes what sends count of blocks of numbers."""
    hours: BlockHours
    """Puts it on record."""


def build_abuse(process: Process) -> WiredAbuse:
    """Puts it together; nothing runs yet."""
    pool = process.pools.billing
    counts = Retention(PostgresAbuseCounts(pool), process.failures, duty="abuse_retention", keep_s=KEPT.total_seconds())
    blocks = BlockCounts()
    hours = BlockHours(pool, blocks, process.failures)
    servicer = FeedbackServicer(Feedback(PostgresFeedback(pool, hours)))
    return WiredAbuse(
        servicers=(partial(feedback_pb2_grpc.add_FeedbackServiceServicer_to_server, servicer),),
        duties={"abuse_retention": counts.run, block_hours.DUTY: hours.run},
        blocks=blocks,
        hours=hours,
    )
