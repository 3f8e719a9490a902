"""Programs of the platform are known by the URI in their certificates, and may do what the file of identities says."""

from __future__ import annotations

from pathlib import Path

from grpc import aio

from pricing_service.adapters.migrate import migrate
from pricing_service.bootstrap import running
from pricing_service.settings import PricingSettings, PricingTls
from service_kit.access.principal import Principal, PrincipalKind
from service_kit.access.requirement import Access
from service_kit.errors import Kind
from service_kit.grpc.channel import open_channel
from service_kit.settings import Address
from service_kit.tls.tls_settings import TlsFiles
from service_kit.tls.watched_tls import WatchedTls
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.pricing.conftest import Pricing, refusal_of
from tests.system.certificates import GATEWAY, MESSAGING, PRICING, Authority
from tests.system.known_callers import KnownCallers, asserting
from tukupay.sms.pricing.v1 import pricing_pb2 as pb
from tukupay.sms.pricing.v1 import pricing_pb2_grpc

STRANGER = "spiffe://tukupay/ns/other/sa/gateway"
SHOP = Principal("tk_live_00000000", PrincipalKind.API_KEY, frozenset({"shop"}), frozenset({"prices:read"}))
ASKED = pb.ResolvePriceRequest(customer_id="shop")
OTHERS = pb.ResolvePriceRequest(customer_id="other")


async def test_each_program_may_do_what_its_identity_says(
    database_template: DatabaseTemplate, fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    authority = Authority()
    ca = authority.write(tmp_path)
    chain, key = authority.sign(PRICING).write(tmp_path, "server")
    callers = KnownCallers(tmp_path / "identities.toml")
    callers.add("messaging", "prices:read", kind="workload", uri=MESSAGING)
    callers.add("gateway", "assert:principal", kind="workload", uri=GATEWAY)
    operator = callers.add("amina", "prices:read")
    settings = PricingSettings(
        database_url=fresh_database(template=database_template("pricing_template", migrate)),
        grpc_address=Address("127.0.0.1", 0),
        access=Access.REQUIRED,
        identities_file=callers.path,
        tls=PricingTls(certificate=chain, key=key, authorities=ca),
    )

    def connected(port: int, uri: str | None) -> aio.Channel:
        files = authority.sign(uri).write(tmp_path, f"client{len(list(tmp_path.iterdir()))}")
        return open_channel(Address("localhost", port), tls=WatchedTls("client", TlsFiles(*files, ca)))

    async with (
        running(settings) as server,
        connected(server.port, MESSAGING) as messaging,
        connected(server.port, GATEWAY) as gateway,
        connected(server.port, STRANGER) as stranger,
        connected(server.port, None) as nameless,
    ):
        await Pricing(messaging, pricing_pb2_grpc.PricingServiceStub(messaging)).until_serving()
        stubs = [pricing_pb2_grpc.PricingServiceStub(each) for each in (messaging, gateway, stranger, nameless)]
        by_messaging, by_gateway, by_stranger, by_nameless = stubs
        assert (await refusal_of(by_messaging.ResolvePrice(ASKED))).reason == "NO_PRICE"
        assert (await refusal_of(by_gateway.ResolvePrice(ASKED))).kind is Kind.PERMISSION_DENIED
        shop = asserting(SHOP)
        assert (await refusal_of(by_gateway.ResolvePrice(ASKED, metadata=shop))).reason == "NO_PRICE"
        assert (await refusal_of(by_gateway.ResolvePrice(OTHERS, metadata=shop))).kind is Kind.PERMISSION_DENIED
        assert (await refusal_of(by_messaging.ResolvePrice(ASKED, metadata=shop))).metadata == {
            "scope": "assert:principal"
        }
        for stub in (by_stranger, by_nameless):
            assert (await refusal_of(stub.ResolvePrice(ASKED))).kind is Kind.UNAUTHENTICATED
            assert (await refusal_of(stub.ResolvePrice(ASKED, metadata=operator))).reason == "NO_PRICE"
