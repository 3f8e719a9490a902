"""Messaging shows pricing its own token, and its callers never see what pricing says of that."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from pricing_service.adapters.migrate import migrate
from pricing_service.bootstrap import running
from pricing_service.settings import PricingSettings
from service_kit.access.requirement import Access
from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from service_kit.settings import Address
from tests.conftest import DatabaseTemplate, FreshDatabase
from tests.integration.messaging.running_service import message, refusal_of, service_on
from tests.integration.pricing.conftest import client_of, timestamp
from tests.system.known_callers import KnownCallers
from tests.system.messaging_database import empty_database
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

PRICE = pb.SetCostRequest(
    level=pb.COST_LEVEL_TUKUPAY,
    price_micros=700_000,
    effective_from=timestamp("2024-12-13T00:00:00Z"),
    reason="agreed",
    created_by="amina",
)


async def test_messaging_asks_for_prices_with_its_own_token(
    postgres_server: EmbeddedPostgres,
    database_template: DatabaseTemplate,
    fresh_database: FreshDatabase,
    tmp_path: Path,
) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    operator = callers.add("amina", "prices:write")
    callers.add("messaging", "prices:read", kind="workload")
    callers.add("reports", "reports:read", kind="workload")
    pricing_url = fresh_database(template=database_template("pricing_template", migrate))
    url = empty_database(postgres_server, database_template)
    settings = PricingSettings(
        database_url=pricing_url,
        grpc_address=Address("127.0.0.1", 0),
        access=Access.REQUIRED,
        identities_file=callers.path,
    )
    async with running(settings) as server, client_of(server.port) as pricing:
        await pricing.until_serving()
        await pricing.stub.SetCost(PRICE, metadata=operator)
        address = Address("127.0.0.1", server.port)
        for name, code in (("messaging", None), ("reports", "PERMISSION_DENIED"), (None, "UNAUTHENTICATED")):
            token = None if name is None else callers.tokens[name]
            with capture_logs() as lines:
                async with service_on(url, pricing_address=address, service_token=token) as service:
                    if code is None:
                        sent = await service.sms.SendSms(message(user_id="shop"))
                        assert sent.entry.total_cost_micros == 700_000
                    else:
                        refused = await refusal_of(service.sms.SendSms(message(user_id="shop", message="again")))
                        assert refused.reason == "PRICING_UNAVAILABLE"
                        assert {line["code"] for line in lines if line["event"] == "pricing.call_failed"} == {code}
