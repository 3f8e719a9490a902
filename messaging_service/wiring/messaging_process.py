"""What every room is built from, and what each of them offers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from grpc import aio
from prometheus_client.registry import CollectorRegistry

from messaging_service.privacy.sealing.key_ring import KeyRing
from messaging_service.privacy.sealing.message_contents import Contents, PlainContents, SealedContents
from messaging_service.shared.metrics.flush_metrics import FlushMetrics
from messaging_service.wiring.chosen_keys import chosen_wrapper, ring_of
from messaging_service.wiring.connections.pools import Pools, create_pools
from messaging_service.wiring.connections.replica_reads import ReplicaReads, replica_reads
from messaging_service.wiring.seams import Seams
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.access.identities_file import DUTY as IDENTITIES
from service_kit.duties.duty_failures import DutyFailures
from service_kit.encryption.key_wrapper import KeyWrapper
from service_kit.metrics.registry import new_registry
from service_kit.postgres.error_counts import CALL, DUTY, DatabaseErrors
from service_kit.postgres.pool_metrics import PoolCollector
from service_kit.process_name import process_name
from service_kit.tls.tls_uses import TlsUses
from service_kit.tracing.open_tracing import Tracing, open_tracing

Servicers = tuple[Callable[[aio.Server], None], ...]
"""What a room answers over gRPC: each puts one service on a server."""
Duties = Mapping[str, Callable[[], Coroutine[Any, Any, object]]]
"""What a room does for as long as the process lives, by name; each runs until cancelled."""

LOOK_S: Final = 5.0
"""Seconds between two counts of what waits, while there are metrics."""
MAX_WAITING: Final = 20_000
"""Requests that may wait for a commit or a price; more are turned away with RESOURCE_EXHAUSTED."""
FLUSHES: Final = ("acceptance", "settlement")
"""What is written together (T1 and T2)."""
_COUNTED_DUTIES: Final = (
    "attempt",
    "settlement",
    "claims",
    "carriers",
    "outcomes",
    "late_outcomes",
    "watching",
    "sweep",
    "receipts",
    "inbound",
    "opt_outs",
    "inbound_retention",
    "receipt_retention",
    "alert_retention",
    "abuse_retention",
    "block_hours",
    "queue_look",
    "webhook_telling",
    "webhook_deliveries",
    "channel_deliveries",
    "webhook_look",
    "alerts",
    IDENTITIES,
    "hash_chains",
    "refused_calls",
    "key_watch",
    "key_uses",
    "privacy_conversion",
    "privacy_retention",
    "privacy_keys",
    "replica",
    "months",
    "key_retention",
)
"""Shown from the start with a nought, so that the first failure is a rise."""


@dataclass(frozen=True, slots=True)
class Process:
    """What every room is built from."""

    settings: MessagingSettings
    seams: Seams
    replica: str
    """Names this process in claims, leases and events; no two running processes share it."""
    pools: Pools
    registry: CollectorRegistry
    failures: DutyFailures
    database_errors: DatabaseErrors
    flushes: FlushMetrics
    wrapper: KeyWrapper | None
    """What keeps the data keys of texts; None where texts are stored as they are."""
    ring: KeyRing | None
    """The data keys of texts; None where texts are stored as they are."""
    plain: PlainContents
    """What stores texts as they are, where there are no keys."""
    contents: Contents
    """Seals what is stored, and opens what is read."""
    tls: TlsUses
    replica_reads: ReplicaReads
    """Where lists, statements and reports are read."""
    tracing: Tracing


def create_process(settings: MessagingSettings, seams: Seams) -> Process:
    """Makes what all rooms share; nothing connects yet."""
    registry, pools, tls = new_registry("messaging"), create_pools(settings.database), TlsUses()
    registry.register(PoolCollector(pools.by_name))
    registry.register(tls)
    wrapper = chosen_wrapper(settings.privacy)
    errors = DatabaseErrors(registry, (*FLUSHES, CALL, DUTY))
    ring, plain = ring_of(wrapper, pools), PlainContents()
    replica = process_name()
    return Process(
        settings=settings,
        seams=seams,
        replica=replica,
        pools=pools,
        registry=registry,
        failures=DutyFailures(registry, _COUNTED_DUTIES, partial(errors.note, DUTY)),
        database_errors=errors,
        flushes=FlushMetrics(registry, errors),
        wrapper=wrapper,
        ring=ring,
        plain=plain,
        contents=plain if ring is None else SealedContents(ring, seams.now),
        tls=tls,
        replica_reads=replica_reads(settings.database, pools, registry, seams.now),
        tracing=open_tracing(settings.tracing, registry, service="messaging", instance=replica),
    )
