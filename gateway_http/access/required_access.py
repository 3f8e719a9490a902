"""Builds what lets callers in where a credential is required."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from gateway_http.access.edge_access import EdgeAccess
from gateway_http.access.key_service import KeyQuestions, KeyWatch
from gateway_http.access.known_keys import KnownKeys
from gateway_http.shared.admission import Admission
from gateway_http.shared.gateway_meters import CredentialMeter
from service_kit.access.bad_credentials import BadCredentials
from service_kit.audit.refused_calls import RefusedCalls
from service_kit.duties.keep_running import keep_running
from service_kit.grpc.authentication import ResolveCredential
from service_kit.grpc.grpc_metrics import CallMeter
from service_kit.settings import Network

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.access_pb2_grpc import AccessServiceAsyncStub


class RequiredAccess:
    """The admission of a gateway that requires a credential, and the watch of keys that it needs."""

    def __init__(
        self,
        access: AccessServiceAsyncStub,
        calls: CallMeter,
        meter: CredentialMeter,
        *,
        proxies: Sequence[Network],
        bad_per_minute: int,
        denied: RefusedCalls,
        tokens: ResolveCredential | None = None,
    ) -> None:
        """`bad_per_minute`: bad credentials that an address may show in a minute.

        `denied` counts what callers are refused. `tokens` checks tokens of identity providers; None: only API keys are
        taken.
        """
        self.keys: Final = KnownKeys(KeyQuestions(access), clock=time.monotonic, wall_clock=time.time)
        bad = BadCredentials(bad_per_minute, time.monotonic)
        self._watch = KeyWatch(access, self.keys, calls)
        self._watching: asyncio.Task[NoReturn] | None = None
        self.admission: Admission = EdgeAccess(self.keys, tokens, bad, proxies=proxies, meter=meter, denied=denied)

    def start(self) -> None:
        """Begins to follow the keys that change."""
        self._watching = keep_running("watch of API keys", self._watch.run())

    async def stop(self) -> None:
        """Ends that."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
