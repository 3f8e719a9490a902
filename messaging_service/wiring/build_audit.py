"""Builds the evidence: the audit log, and the chains over it, over the ledger and over the events."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from messaging_service.wiring.chained_messaging_tables import CHAINED_TABLES
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from service_kit.audit import refusal_duty
from service_kit.audit.audit_servicer import AuditServicer
from service_kit.audit.refusal_duty import RefusalDuty
from service_kit.audit.refused_calls import RefusedCalls
from service_kit.postgres import hash_chain
from service_kit.postgres.audit_log import PostgresAuditLog
from service_kit.postgres.chain_metrics import ChainCollector
from service_kit.postgres.hash_chain import HashChains
from tukupay.sms.common.v1 import audit_pb2_grpc


@dataclass(frozen=True, slots=True)
class WiredAudit:
    """What the audit offers."""

    servicers: Servicers
    duties: Duties
    refused: RefusedCalls
    """Where calls that were refused are noted."""


def build_audit(process: Process) -> WiredAudit:
    """Puts them together, over the connections of those who read what happened; nothing runs yet."""
    pool, log = process.pools.notices, process.failures
    chains = HashChains(pool, CHAINED_TABLES, log, clock=time.monotonic)
    process.registry.register(ChainCollector(chains.lags_s))
    store, refused = PostgresAuditLog(pool), RefusedCalls(time.monotonic)
    servicer = AuditServicer(store, refused)
    return WiredAudit(
        servicers=(partial(audit_pb2_grpc.add_AuditServiceServicer_to_server, servicer),),
        duties={hash_chain.DUTY: chains.run, refusal_duty.DUTY: RefusalDuty(refused, store, log).run},
        refused=refused,
    )
