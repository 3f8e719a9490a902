"""Changes of prices stand in the audit log, in the transaction of the change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from google.protobuf.timestamp_pb2 import Timestamp
from psycopg.rows import dict_row

from tests.integration.pricing.conftest import TUKUPAY, Pricing
from tukupay.sms.pricing.v1 import pricing_pb2 as pb


def entries(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM audit_entry ORDER BY id").fetchall()


def tomorrow() -> Timestamp:
    message = Timestamp()
    message.FromDatetime((datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None))
    return message


async def test_prices_set_withdrawn_and_imported(pricing: Pricing, pricing_url: str) -> None:
    first = await pricing.set(TUKUPAY, 1_000_000, idempotency_key="key-1")
    await pricing.set(TUKUPAY, 1_000_000, idempotency_key="key-1")
    second = await pricing.set(TUKUPAY, 900_000, effective_from=tomorrow())
    for _ in range(2):
        await pricing.stub.WithdrawCost(
            pb.WithdrawCostRequest(cost_id=second.cost_id, withdrawn_by="amina", reason="too early")
        )
    found = entries(pricing_url)
    assert [entry["action"] for entry in found] == ["price.set", "price.set", "price.withdrawn"]
    assert [entry["subject"] for entry in found] == [first.cost_id, second.cost_id, second.cost_id]
    assert found[0]["before"] is None
    assert (found[0]["after"]["level"], found[0]["after"]["price"]) == ("TukuPay", "1.000000")
    assert found[1]["before"] == {"price": "1.000000"}
    assert found[2]["after"] == {"withdrawn_by": "amina", "reason": "too early"}
    assert {(entry["principal"], entry["origin"]) for entry in found} == {("open", "127.0.0.1")}
    assert all(entry["request_id"] for entry in found)


async def test_an_import_is_one_entry_that_names_its_rows(pricing: Pricing, pricing_url: str) -> None:
    rows = [
        pb.SetCostRequest(
            level=pb.COST_LEVEL_SPECIFIC_CUSTOMER,
            customer_id=f"user{number}",
            price_micros=800_000,
            reason="agreed",
            effective_from=tomorrow(),
            created_by="amina",
        )
        for number in range(3)
    ]
    await pricing.set(TUKUPAY, 1_000_000)
    for is_dry in (True, False, False):
        await pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=rows, dry_run=is_dry))
    _, imported = entries(pricing_url)
    assert imported["action"] == "prices.imported"
    assert imported["after"] == {
        "rows": 3,
        "first_epoch": 2,
        "last_epoch": 4,
        "created_by": ["amina"],
        "idempotency_key": None,
    }
