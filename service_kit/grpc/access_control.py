"""Lets a call reach its method only when its caller is known and the rule of the method allows it.

The rule stands beside the method in the protos (`service_kit.access.method_rules`). What a rule leaves to the method
itself, ids that belong to accounts and items of a batch, the method checks with `caller()`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Final, Protocol, TypeAlias

import grpc
from grpc import aio
from typing_extensions import override

from service_kit import reasons
from service_kit.access.caller import bind, bind_origin, is_bound
from service_kit.access.method_rules import MethodRule, Tenancy
from service_kit.access.origins import client_address
from service_kit.access.principal import OPEN, Principal
from service_kit.access.principal_messages import METADATA_KEY as PRINCIPAL
from service_kit.access.refusals import (
    all_accounts_needed,
    require_account,
    require_scope,
    scope_missing,
    unauthenticated,
)
from service_kit.access.scopes import ASSERT_PRINCIPAL
from service_kit.audit.actor import Actor, actor
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.grpc.access_metrics import Refused, uncounted
from service_kit.grpc.context import Context
from service_kit.grpc.peers import address_of

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]
Check = Callable[[Principal, Any], None]
Denied: TypeAlias = "Callable[[Actor, str, str | None], object]"
"""Called with who was denied a method, `Service/Method`, and the scope that is missing, None for an account."""
Metadata: TypeAlias = "Mapping[str, str | bytes]"

PUBLIC: Final = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""Methods that anybody may call: they tell whether the service is well, and nothing else."""
INSPECTION: Final = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
INSPECT: Final = "system:inspect"
LOOK_AGAIN_S: Final = 1.0
"""Seconds after which an endless call looks again whether its credential is valid."""


class Peer(Protocol):
    """The other side of a connection; the context of each call is one."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What its certificate says, which was verified; nothing of the kind without TLS."""
        ...

    def peer(self) -> str:
        """Its address, as `ipv4:127.0.0.1:41234`."""
        ...


Authenticator: TypeAlias = "Callable[[Metadata, Peer], Awaitable[Principal]]"
"""Finds out who calls. Raises ServiceError: UNAUTHENTICATED without a valid credential, UNAVAILABLE when it cannot be
checked now."""


async def open_to_all(_metadata: Metadata, _peer: Peer) -> Principal:
    """The Authenticator of a system without authentication."""
    return OPEN


def unnoted(_actor: Actor, _method: str, _scope: str | None) -> None:
    """Where denials are not kept."""


class AccessControl(aio.ServerInterceptor):
    """Authenticates each call, applies the rule of its method, and binds `caller()` for it.

    It belongs innermost: what it raises is turned into statuses outside, and requests that are none are refused there.
    """

    def __init__(
        self,
        authenticate: Authenticator,
        rules: Mapping[str, MethodRule],
        refused: Refused = uncounted,
        denied: Denied = unnoted,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rules` has every method that the server answers beside health and reflection.

        `refused` is called with the cause of each refusal by a rule, `denied` with who was denied what, also by the
        method itself. `clock`: seconds, monotonic.
        """
        self._authenticate = authenticate
        self._rules = rules
        self._refused = refused
        self._denied = denied
        self._clock = clock

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method in PUBLIC:
            return handler
        metadata = dict(handler_call_details.invocation_metadata or ())
        check = self._check(method)
        kind, factory = _KINDS[handler.request_streaming, handler.response_streaming]
        rule = self._rules.get(method)
        wrap = self._unary
        if handler.response_streaming:
            wrap = self._endless if rule is not None and rule.is_endless else self._stream
        behaviour = wrap(getattr(handler, kind), check, metadata, method)
        return factory(behaviour, handler.request_deserializer, handler.response_serializer)

    def _check(self, method: str) -> Check:
        if method == INSPECTION:
            return lambda principal, _request: _all_accounts(principal, INSPECT)
        rule = self._rules.get(method)
        if rule is None:
            # A server does not start with such a method; should one be added later, nobody may call it.
            return _refuse
        return lambda principal, request: apply_rule(rule, principal, request)

    def _unary(self, behaviour: Behaviour, check: Check, metadata: Metadata, method: str) -> Behaviour:
        async def unary(request: Any, context: Context) -> Any:  # noqa: ANN401 - any proto message
            with self._noting(method):
                await self._admit(request, context, check, metadata)
                return await behaviour(request, context)

        return unary

    def _stream(self, behaviour: Behaviour, check: Check, metadata: Metadata, method: str) -> Behaviour:
        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any proto message
            with self._noting(method):
                await self._admit(request, context, check, metadata)
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response

        return stream

    def _endless(self, behaviour: Behaviour, check: Check, metadata: Metadata, method: str) -> Behaviour:
        """As `_stream`, but nothing goes out after the credential ended, but for what the last second had."""

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any proto message
            with self._noting(method):
                admitted = await self._admit(request, context, check, metadata)
                looked = self._clock()
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        if self._clock() - looked >= LOOK_AGAIN_S:
                            if await self._authenticate(metadata, context) != admitted:
                                raise unauthenticated("the credential allows something else than before; call again")
                            looked = self._clock()
                        yield response

        return stream

    @contextmanager
    def _noting(self, method: str) -> Iterator[None]:
        """Notes who was denied what inside."""
        try:
            yield
        except ServiceError as error:
            if error.kind is Kind.PERMISSION_DENIED and is_bound():
                self._denied(actor(), method.rpartition(".")[2], error.metadata.get("scope"))
            raise

    async def _admit(
        self,
        request: Any,  # noqa: ANN401 - any proto message
        context: Context,
        check: Check,
        metadata: Metadata,
    ) -> Principal:
        principal = await self._authenticate(metadata, context)
        bind(principal)
        bind_origin(_origin(principal, metadata, context.peer()))
        try:
            check(principal, request)
        except ServiceError as error:
            if error.kind is Kind.PERMISSION_DENIED:
                self._refused("scope" if "scope" in error.metadata else "account")
            raise
        return principal


def _origin(principal: Principal, metadata: Metadata, peer: str) -> str | None:
    """The address that a call comes from; that of the caller's own client, where the caller may call for others."""
    # Whoever names another principal without the right to is refused before.
    may_vouch = PRINCIPAL in metadata or principal.may(ASSERT_PRINCIPAL)
    return (client_address(metadata) if may_vouch else None) or address_of(peer)


def apply_rule(rule: MethodRule, principal: Principal, request: Any) -> None:  # noqa: ANN401 - any proto message
    """Raises ServiceError unless the principal may make the call; ids and items are left to the method."""
    if rule.tenancy is Tenancy.ITEMS and principal.may(ASSERT_PRINCIPAL):
        # Each item may come from another caller, whose scope counts; the method checks them one by one.
        return
    require_scope(principal, rule.scope)
    if principal.accounts is None:
        return
    if rule.tenancy is Tenancy.ALL_ACCOUNTS:
        raise all_accounts_needed()
    if rule.tenancy is Tenancy.ACCOUNT_FIELD:
        if rule.is_optional and not request.HasField(rule.field):
            raise all_accounts_needed()
        account = getattr(request, rule.field)
        if not account:
            raise invalid([Violation(rule.field, reasons.REQUIRED, "is empty; name an account")])
        require_account(principal, account)


def _all_accounts(principal: Principal, scope: str) -> None:
    require_scope(principal, scope)
    if principal.accounts is not None:
        raise all_accounts_needed()


def _refuse(_principal: Principal, _request: object) -> None:
    raise scope_missing("of no method")


_KINDS: Final[dict[tuple[bool, bool], tuple[str, Callable[..., Handler]]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
