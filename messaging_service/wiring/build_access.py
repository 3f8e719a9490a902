"""Builds API keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from prometheus_client import Gauge

from messaging_service.access.check_keys import CheckKeys
from messaging_service.access.grpc.access_servicer import AccessServicer
from messaging_service.access.manage_keys import ManageKeys
from messaging_service.access.postgres.postgres_key_changes import PostgresKeyChanges
from messaging_service.access.postgres.postgres_keys import PostgresKeys
from messaging_service.access.resolve_keys import KeyUses, ResolveKeys
from messaging_service.access.watch_keys import KeyWatch
from messaging_service.wiring.messaging_process import Duties, Process, Servicers
from tukupay.sms.messaging.v1 import access_pb2_grpc

WATCH_EVERY_S: Final = 0.5
"""Between two looks for keys that changed: gateways refuse a key that another process revoked within 2 s."""
HEARTBEAT_S: Final = 0.5
"""Gateways take a silence of 2 s for a lost watch."""
USES_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class WiredAccess:
    """What keys offer."""

    servicers: Servicers
    duties: Duties
    check: CheckKeys
    """Whose key a caller over gRPC shows."""
    watch: KeyWatch
    """`close` ends every watch, and their callers go on at another replica."""


def build_access(process: Process) -> WiredAccess:
    """Puts keys together; nothing runs yet. They have connections of their own, so that no send keeps a caller out."""
    pool, now = process.pools.access, process.seams.now
    keys = PostgresKeys(pool)
    watch = KeyWatch(PostgresKeyChanges(pool), process.failures, every_s=WATCH_EVERY_S, heartbeat_s=HEARTBEAT_S)
    uses = KeyUses(keys, process.failures, every_s=USES_EVERY_S)
    gauge = Gauge("tukupay_key_watches", "Watches of API keys that are open.", registry=process.registry)
    gauge.set_function(lambda: watch.watches)
    resolving = ResolveKeys(keys, uses, now=now)
    servicer = AccessServicer(ManageKeys(keys, now=now, changed=watch.wake), resolving, watch)
    return WiredAccess(
        servicers=(partial(access_pb2_grpc.add_AccessServiceServicer_to_server, servicer),),
        check=CheckKeys(resolving),
        duties={"key_watch": watch.run, "key_uses": uses.run},
        watch=watch,
    )
