"""Builds opt-outs: what phones write, and whom nothing is sent to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from uuid_utils.compat import uuid7

from messaging_service.carriers.carrier import InboundSink
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.domain.suppression import Exemption
from messaging_service.opt_outs.grpc.suppression_servicer import SuppressionServicer
from messaging_service.opt_outs.inbound_processor import InboundProcessor
from messaging_service.opt_outs.metrics.opt_out_events import CountedOptOuts
from messaging_service.opt_outs.opt_outs import OptOuts
from messaging_service.opt_outs.postgres.postgres_inbound import PostgresInbound
from messaging_service.opt_outs.postgres.postgres_suppressions import PostgresSuppressions
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import suppressions_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredOptOuts:
    """What opt-outs offer."""

    servicers: Servicers
    duties: Duties
    exemption: Exemption
    """The messages that reach a phone although it opted out."""
    take: InboundSink
    """Stores what phones wrote."""


def build_opt_outs(process: Process) -> WiredOptOuts:
    """Puts opt-outs together; nothing runs yet."""
    settings, pool = process.settings.opt_outs, process.pools.main
    log = CountedOptOuts(process.failures, process.registry)
    exemption = Exemption(settings.opt_out_exempt_tags)
    keywords = Keywords(
        settings.opt_out_keywords, settings.opt_in_keywords, first_word_counts=settings.keyword_position == "first-word"
    )
    suppressions = PostgresSuppressions(pool, process.replica, exemption, process.contents)
    inbox = PostgresInbound(pool, keywords, uuid7, settings.inbound_retention_s, process.contents)
    inbound = InboundProcessor(inbox, suppressions, log, poll_s=1.0)
    opt_outs = OptOuts(
        suppressions, phone_problem=phone_number_problem, new_id=uuid7, log=log, look_again=inbound.look_again
    )
    return WiredOptOuts(
        servicers=(
            partial(
                suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server,
                SuppressionServicer(opt_outs),
            ),
        ),
        duties={"inbound": inbound.run},
        exemption=exemption,
        take=inbound.take,
    )
