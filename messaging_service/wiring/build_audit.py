"""Builds the evidence: the chains over the audit log, the ledger and the events."""

from __future__ import annotations

import time
from dataclasses import dataclass

from messaging_service.wiring.chained_messaging_tables import CHAINED_TABLES
from messaging_service.wiring.messaging_process import Duties, Process
from service_kit.postgres.chain_metrics import ChainCollector
from service_kit.postgres.hash_chain import DUTY, HashChains


@dataclass(frozen=True, slots=True)
class WiredAudit:
    """What the audit offers."""

    duties: Duties


def build_audit(process: Process) -> WiredAudit:
    """Puts the chains together, over the connections of those who read what happened; nothing runs yet."""
    chains = HashChains(process.pools.notices, CHAINED_TABLES, process.failures, clock=time.monotonic)
    process.registry.register(ChainCollector(chains.lags_s))
    return WiredAudit(duties={DUTY: chains.run})
