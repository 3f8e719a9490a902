"""A gRPC server has its port to itself, and answers nothing that has no rule of access."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
import pytest
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from typing_extensions import override

from pricing_service.transport.servicer import SERVICE_NAME
from service_kit.access.method_rules import RulesError
from service_kit.access.principal import Accounts, Principal, PrincipalKind
from service_kit.access.refusals import unauthenticated
from service_kit.grpc.access_control import Metadata, Peer
from service_kit.grpc.channel import open_channel
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.settings import Address
from tukupay.sms.pricing.v1 import pricing_pb2, pricing_pb2_grpc


async def test_a_second_server_on_a_port_is_an_error_instead_of_half_of_the_calls() -> None:
    first = GrpcServer(Address("127.0.0.1", 0), ())
    await first.start()
    second = GrpcServer(Address("127.0.0.1", first.port), ())
    try:
        with pytest.raises(OSError, match="is another server there"):
            await second.start()
    finally:
        await second.stop(0)
        await first.stop(0)


async def _never(_request: object, _context: object) -> NoReturn:
    raise AssertionError("the call was let in")


PRICING_METHODS = grpc.method_handlers_generic_handler(
    SERVICE_NAME,
    {
        "GetCurrentCost": grpc.unary_unary_rpc_method_handler(_never),
        "ExportCosts": grpc.unary_stream_rpc_method_handler(_never),
        "ImportCostsInParts": grpc.stream_stream_rpc_method_handler(_never),
    },
)


async def test_a_server_does_not_start_with_a_method_that_has_no_rule() -> None:
    server = GrpcServer(Address("127.0.0.1", 0), ())
    server.grpc.add_generic_rpc_handlers([PRICING_METHODS])
    with pytest.raises(RulesError, match=r"/tukupay\.sms\.pricing\.v1\.PricingService/ExportCosts"):
        await server.start()


class _Anything(grpc.GenericRpcHandler):
    @override
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        return None


async def test_a_server_does_not_start_with_a_handler_of_unknown_methods() -> None:
    server = GrpcServer(Address("127.0.0.1", 0), ())
    server.grpc.add_generic_rpc_handlers([_Anything()])
    with pytest.raises(RulesError, match="_Anything"):
        await server.start()


async def test_methods_are_listed_by_reflection_only_where_that_is_wanted() -> None:
    async def methods(*, inspectable: bool) -> str:
        server = GrpcServer(Address("127.0.0.1", 0), (), inspectable=inspectable)
        await server.start()
        try:
            async with open_channel(Address("127.0.0.1", server.port)) as channel:
                stub = reflection_pb2_grpc.ServerReflectionStub(channel)
                question = reflection_pb2.ServerReflectionRequest(list_services="")
                answers = [answer async for answer in stub.ServerReflectionInfo(iter([question]), timeout=10)]
                return str(answers[0])
        finally:
            await server.stop(0)

    assert "grpc.health.v1.Health" in await methods(inspectable=True)
    with pytest.raises(aio.AioRpcError) as caught:
        await methods(inspectable=False)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_refusals_are_counted_by_their_cause() -> None:
    reader = Principal("operator:amina", PrincipalKind.OPERATOR, frozenset({"mine"}), frozenset({"prices:read"}))
    causes: list[str] = []

    async def known(_metadata: Metadata, _peer: Peer) -> Principal:
        return reader

    server = GrpcServer(Address("127.0.0.1", 0), [SERVICE_NAME], authenticate=known, refused=causes.append)
    names = ("SetCost", "ResolvePrice", "ListCosts")
    methods: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(
            _never, getattr(pricing_pb2, f"{name}Request").FromString, lambda _: b""
        )
        for name in names
    }
    server.grpc.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE_NAME, methods)])
    await server.start()
    try:
        async with open_channel(Address("127.0.0.1", server.port)) as channel:
            stub = pricing_pb2_grpc.PricingServiceStub(channel)
            calls: list[Any] = [
                stub.SetCost(pricing_pb2.SetCostRequest(), timeout=10),
                stub.ResolvePrice(pricing_pb2.ResolvePriceRequest(customer_id="other"), timeout=10),
                stub.ListCosts(pricing_pb2.ListCostsRequest(), timeout=10),
            ]
            for call in calls:
                assert await call.code() is grpc.StatusCode.PERMISSION_DENIED
    finally:
        await server.stop(0)
    assert sorted(causes) == ["account", "account", "scope"]


async def test_methods_are_listed_for_callers_with_the_scope_for_it() -> None:
    async def listed(*scopes: str, accounts: Accounts = None) -> grpc.StatusCode:
        async def known(_metadata: Metadata, _peer: Peer) -> Principal:
            return Principal("operator:amina", PrincipalKind.OPERATOR, accounts, frozenset(scopes))

        server = GrpcServer(Address("127.0.0.1", 0), (), authenticate=known)
        await server.start()
        try:
            async with open_channel(Address("127.0.0.1", server.port)) as channel:
                stub = reflection_pb2_grpc.ServerReflectionStub(channel)
                question = reflection_pb2.ServerReflectionRequest(list_services="")
                try:
                    assert [answer async for answer in stub.ServerReflectionInfo(iter([question]), timeout=10)]
                except aio.AioRpcError as error:
                    return error.code()
                return grpc.StatusCode.OK
        finally:
            await server.stop(0)

    assert await listed("system:inspect") is grpc.StatusCode.OK
    assert await listed("sms:read") is grpc.StatusCode.PERMISSION_DENIED
    assert await listed("system:inspect", accounts=frozenset({"mine"})) is grpc.StatusCode.PERMISSION_DENIED


async def test_every_kind_of_call_shows_the_token_of_its_channel() -> None:
    tokens: list[object] = []

    async def noted(metadata: Metadata, _peer: Peer) -> Principal:
        tokens.append(metadata.get("authorization"))
        raise unauthenticated("nobody is let in")

    server = GrpcServer(Address("127.0.0.1", 0), [SERVICE_NAME], authenticate=noted)
    server.grpc.add_generic_rpc_handlers([PRICING_METHODS])
    await server.start()
    names = iter(["first", "second", "third", None])
    try:
        async with open_channel(Address("127.0.0.1", server.port), lambda: next(names)) as channel:
            stub = pricing_pb2_grpc.PricingServiceStub(channel)
            calls = [
                stub.GetCurrentCost(pricing_pb2.GetCurrentCostRequest(), metadata=(("x-request-id", "r"),), timeout=10),
                stub.ExportCosts(pricing_pb2.ExportCostsRequest(), timeout=10),
                stub.ImportCostsInParts(iter([pricing_pb2.ImportCostsInPartsRequest()]), timeout=10),
                stub.GetCurrentCost(pricing_pb2.GetCurrentCostRequest(), timeout=10),
            ]
            for call in calls:
                assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    finally:
        await server.stop(0)
    assert sorted(map(str, tokens)) == ["Bearer first", "Bearer second", "Bearer third", "None"]
