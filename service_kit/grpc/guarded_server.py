"""Builds the gRPC server of a service with its figures, and with the access that its settings ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog
from prometheus_client.registry import CollectorRegistry

from service_kit.access.bad_credentials import BadCredentials
from service_kit.access.identities_file import IdentitiesFile
from service_kit.access.requirement import Access
from service_kit.grpc.access_control import Denied, unnoted
from service_kit.grpc.access_metrics import counted_refusals
from service_kit.grpc.authentication import Authentication, OpenAccess, Resolvers
from service_kit.grpc.grpc_metrics import ServerCalls
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.grpc.traced_calls import TracedCalls
from service_kit.settings import Address
from service_kit.tls.watched_tls import WatchedTls
from service_kit.tracing.tracer import Tracer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may call, and how they are known."""

    access: Access
    identities: IdentitiesFile
    resolvers: Resolvers = field(default_factory=Resolvers)
    bad_per_minute: int | None = None
    """Credentials that are not valid which an address may show in a minute; None for as many as it likes."""
    inspectable: bool = False
    """Whether callers with the scope for it may list the methods by reflection, where access is required."""


def guarded_server(
    guard: Guard,
    registry: CollectorRegistry,
    address: Address,
    service_names: Iterable[str],
    *,
    tls: WatchedTls | None = None,
    denied: Denied = unnoted,
    failed: Callable[[BaseException], object] = lambda _error: None,
    tracer: Tracer | None = None,
) -> GrpcServer:
    """A server that counts its calls and lets in whom the guard does. Raises RulesError as GrpcServer does.

    `tracer`: None where tracing is off.
    """
    refused = counted_refusals(registry)
    is_open = guard.access is Access.OPEN
    if is_open:
        log.info("access.open", address=str(address), meaning="whoever reaches this address may do everything")
    return GrpcServer(
        address,
        service_names,
        [ServerCalls(registry)],
        inner=() if tracer is None else (TracedCalls(tracer),),
        authenticate=OpenAccess(refused)
        if is_open
        else Authentication(
            lambda: guard.identities.now,
            guard.resolvers,
            refused=refused,
            bad=None if guard.bad_per_minute is None else BadCredentials(guard.bad_per_minute, time.monotonic),
        ),
        refused=refused,
        denied=denied,
        inspectable=is_open or guard.inspectable,
        tls=tls,
        failed=failed,
    )
