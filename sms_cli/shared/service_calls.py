"""Calls of pricing and messaging: a connection, a deadline for every call, and failures as a sentence and a remedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from grpc import aio

from service_kit.grpc.channel import open_channel
from service_kit.grpc.credentialed_channel import Credential
from service_kit.settings import Address
from sms_cli.shared.call_failures import option_of, readable_errors
from sms_cli.shared.local_settings import client_settings
from tukupay.sms.common.v1 import audit_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

if TYPE_CHECKING:
    from service_kit.tls.watched_tls import WatchedTls

DEADLINE_S: Final = 20.0
"""Enough for calls that read or write a few rows; calls of many rows have longer deadlines."""

S = TypeVar("S")
R = TypeVar("R")


@asynccontextmanager
async def messaging_stub(
    messaging: Address,
    stub: Callable[[aio.Channel], S],
    *,
    deadline_s: float | None = DEADLINE_S,
    named: Callable[[str], str] = option_of,
) -> AsyncGenerator[S, None]:
    """A client of one gRPC service of messaging, over a connection of its own.

    Each call ends after `deadline_s` unless it names a `timeout` of its own; None is for streams that a person ends.
    A call that fails inside raises CommandError; `named` says what a person calls a field at fault.
    """
    async with open_channel(messaging, _credential(), tls=_tls()) as channel:
        with readable_errors("messaging", messaging, named):
            yield _with_deadline(stub(channel), deadline_s)


@asynccontextmanager
async def pricing_stub(
    pricing: Address,
    *,
    deadline_s: float = DEADLINE_S,
    named: Callable[[str], str] = option_of,
    open_end: str | None = None,
) -> AsyncGenerator[pricing_pb2_grpc.PricingServiceAsyncStub, None]:
    """A client of pricing, as `messaging_stub`.

    `open_end` is what to do when pricing went away and nobody knows whether it did its work; None when that does not
    matter.
    """
    async with open_channel(pricing, _credential(), tls=_tls()) as channel:
        with readable_errors("pricing", pricing, named, open_end=open_end):
            yield _with_deadline(pricing_pb2_grpc.PricingServiceStub(channel), deadline_s)


@asynccontextmanager
async def audit_stub(part: str, address: Address) -> AsyncGenerator[audit_pb2_grpc.AuditServiceAsyncStub, None]:
    """A client of the audit log of a service, `pricing` or `messaging`, as `messaging_stub`."""
    async with open_channel(address, _credential(), tls=_tls()) as channel:
        with readable_errors(part, address, option_of):
            yield _with_deadline(audit_pb2_grpc.AuditServiceStub(channel), DEADLINE_S)


def ask_messaging(
    stub: Callable[[aio.Channel], S],
    call: Callable[[S], Awaitable[R]],
    *,
    deadline_s: float = DEADLINE_S,
    named: Callable[[str], str] = option_of,
) -> R:
    """The answer of messaging, at the address in the settings, to one call.

    Raises CommandError when the call fails; `named` says what a person calls a field at fault.
    """

    async def ask() -> R:
        address = client_settings().messaging
        async with messaging_stub(address, stub, deadline_s=deadline_s, named=named) as client:
            return await call(client)

    return asyncio.run(ask())


def _credential() -> Credential | None:
    """The token of whoever runs the command, from the environment: as an argument others would see it."""
    token = client_settings().token
    return None if token is None else lambda: token


def _tls() -> WatchedTls | None:
    """The certificates of whoever runs the command; None for plaintext."""
    files = client_settings().tls.files
    if files is None:
        return None
    from service_kit.tls.tls_uses import TlsUses  # noqa: PLC0415 - slow to import, and seldom needed

    return TlsUses().open("commands", files)


class _DeadlineStub:
    """Gives every call of a stub a deadline."""

    def __init__(self, stub: object, deadline_s: float) -> None:
        self._stub = stub
        self._deadline_s = deadline_s

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a call of grpc
        return partial(getattr(self._stub, name), timeout=self._deadline_s)


def _with_deadline(stub: S, deadline_s: float | None) -> S:
    return stub if deadline_s is None else cast("S", _DeadlineStub(stub, deadline_s))
