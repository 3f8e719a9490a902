"""Asks the service that keeps the API keys what one may do, and follows those that change."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

import grpc
import structlog
from grpc import aio

from gateway_http.access.known_keys import KeyNotValidError, KnownKeys, NotCheckedError, ResolvedKey
from gateway_http.shared.asserted_caller import asserted
from service_kit.access.api_key import ApiKey
from service_kit.access.principal_messages import to_principal
from service_kit.backoff import backoff_s
from service_kit.grpc.grpc_metrics import CallMeter
from service_kit.request_id import to_metadata
from tukupay.sms.messaging.v1 import access_pb2

if TYPE_CHECKING:
    from tukupay.sms.messaging.v1.access_pb2_grpc import AccessServiceAsyncStub

QUESTION_S: Final = 2.0
"""How long an answer may take."""
SILENCE_S: Final = 2.0
"""The longest silence of a watch that holds: the service says something each second or so."""
SHORTEST_PAUSE_S: Final = 0.025
LONGEST_PAUSE_S: Final = 1.0
_NANOS: Final = 1_000_000_000

Watch = aio.UnaryStreamCall[access_pb2.WatchKeysRequest, access_pb2.WatchKeysResponse]

log = structlog.get_logger()


class KeyQuestions:
    """Is a ResolveKey."""

    def __init__(self, access: AccessServiceAsyncStub) -> None:
        self._access = access

    async def __call__(self, key: ApiKey) -> ResolvedKey:
        """What a key may do now. Raises KeyNotValidError, and NotCheckedError when nobody answers."""
        question = access_pb2.ResolveKeyRequest(key_id=key.id, secret_sha256=key.digest)
        try:
            answer = await self._access.ResolveKey(question, timeout=QUESTION_S, metadata=to_metadata())
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise KeyNotValidError from None
            log.warning("keys.not_resolved", code=error.code().name)
            raise NotCheckedError from None
        try:
            return _to_resolved(answer, key)
        except ValueError as error:
            log.error("keys.answer_is_wrong", key_id=key.id, problem=str(error))  # noqa: TRY400 - it is said in full
            raise NotCheckedError from None


def _to_resolved(answer: access_pb2.ResolveKeyResponse, key: ApiKey) -> ResolvedKey:
    principal = to_principal(answer.principal)
    if principal.id != key.id or principal.mode is not key.mode:
        raise ValueError("is of another key")
    expires_at = math.inf
    if answer.HasField("expires_time"):
        expires_at = answer.expires_time.seconds + answer.expires_time.nanos / _NANOS
    return ResolvedKey(asserted(principal), tuple(map(ipaddress.ip_network, answer.networks)), expires_at)


class KeyWatch:
    """One watch at a time, opened again whenever it ends."""

    def __init__(
        self,
        access: AccessServiceAsyncStub,
        keys: KnownKeys,
        calls: CallMeter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`calls` counts every watch that ended. `clock`: seconds, monotonic."""
        self._access = access
        self._keys = keys
        self._calls = calls
        self._clock = clock
        self._failures = 0

    async def run(self) -> NoReturn:
        """Watches until cancelled."""
        while True:
            begun = self._clock()
            code = await self._watch()
            self._calls.ended("AccessService/WatchKeys", code, self._clock() - begun)
            self._keys.watch_lost()
            if not self._failures:
                log.warning("keys.watch_ended", code=code)
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures, SHORTEST_PAUSE_S, LONGEST_PAUSE_S))

    async def _watch(self) -> str:
        """Follows one watch to its end; the status with which it ended."""
        call = self._access.WatchKeys(access_pb2.WatchKeysRequest())
        try:
            await self._follow(call)
        except aio.AioRpcError as error:
            return error.code().name
        except TimeoutError:
            return grpc.StatusCode.DEADLINE_EXCEEDED.name
        except Exception:
            log.exception("keys.watch_crashed")
            return grpc.StatusCode.UNKNOWN.name
        finally:
            call.cancel()
        return grpc.StatusCode.OK.name

    async def _follow(
        self, call: aio.UnaryStreamCall[access_pb2.WatchKeysRequest, access_pb2.WatchKeysResponse]
    ) -> None:
        is_open = False
        while True:
            waiting_since = self._clock()
            async with asyncio.timeout(SILENCE_S):
                news = await call.read()
            if not isinstance(news, access_pb2.WatchKeysResponse):
                return
            if self._clock() - waiting_since > SILENCE_S:
                # This process stood still: what it reads now was said long ago, and more may be behind it.
                raise TimeoutError
            if is_open:
                self._keys.forget(news.changed_key_ids)
                continue
            is_open = True
            self._failures = 0
            self._keys.watch_opened()
            log.info("keys.watch_opened")
