"""Prices of thousands of customers at once, in and out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from service_kit.errors import Kind
from tests.integration.pricing.conftest import (
    APP_OWNER,
    DIRECT_CUSTOMER,
    SPECIFIC_CUSTOMER,
    TUKUPAY,
    Pricing,
    refusal_of,
    timestamp,
)
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

DECEMBER = timestamp("2024-12-13T00:00:00Z")


def row(customer: str = "cust123", price_micros: int = 700_000, **fields: Any) -> pb.SetCostRequest:
    request: dict[str, Any] = {
        "level": SPECIFIC_CUSTOMER,
        "customer_id": customer,
        "price_micros": price_micros,
        "reason": "price list",
        "effective_from": DECEMBER,
        "created_by": "admin123",
    }
    return pb.SetCostRequest(**(request | fields))


def rows(count: int, price_micros: int = 700_000) -> list[pb.SetCostRequest]:
    return [row(f"cust{number:05}", price_micros) for number in range(count)]


async def exported(pricing: Pricing, level: pb.CostLevel.ValueType = pb.COST_LEVEL_UNSPECIFIED) -> list[pb.Cost]:
    parts = [part async for part in pricing.stub.ExportCosts(pb.ExportCostsRequest(level=level))]
    assert all(part.costs for part in parts)
    return [cost for part in parts for cost in part.costs]


async def test_an_import_says_what_each_row_does_and_records_what_changes_something(pricing: Pricing) -> None:
    same = await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="same")
    other = await pricing.set(SPECIFIC_CUSTOMER, 800_000, customer_id="other")
    request = pb.ImportCostsRequest(rows=[row("same"), row("other"), row("new")], dry_run=True)
    rehearsed = await pricing.stub.ImportCosts(request)
    effects = [pb.IMPORT_EFFECT_UNCHANGED, pb.IMPORT_EFFECT_CHANGED, pb.IMPORT_EFFECT_NEW]
    assert [each.effect for each in rehearsed.rows] == effects
    assert [each.previous_price_micros for each in rehearsed.rows] == [700_000, 800_000, 0]
    assert [each.HasField("previous_price_micros") for each in rehearsed.rows] == [True, True, False]
    assert {each.cost.cost_id for each in rehearsed.rows} == {""}
    assert len(await exported(pricing)) == 2

    request.dry_run = False
    done = await pricing.stub.ImportCosts(request)
    assert [each.effect for each in done.rows] == effects
    assert done.rows[0].cost.cost_id == ""
    assert done.rows[1].cost.revision == other.revision + 1
    assert await exported(pricing) == [done.rows[2].cost, done.rows[1].cost, same]
    again = await pricing.stub.ImportCosts(request)
    assert {each.effect for each in again.rows} == {pb.IMPORT_EFFECT_UNCHANGED}
    answer = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="other"))
    assert answer.cost == done.rows[1].cost


async def test_an_import_whose_answer_would_not_get_through_is_refused_before_anything_is_recorded(
    pricing: Pricing,
) -> None:
    request = pb.ImportCostsRequest(rows=[row(f"cust{number:05}", reason="é" * 500) for number in range(9_000)])
    error = await refusal_of(pricing.stub.ImportCosts(request))
    assert (error.kind, [violation.field for violation in error.violations]) == (Kind.INVALID, ["rows"])
    assert "ImportCostsInParts" in error.message
    assert await exported(pricing) == []


async def test_a_dry_run_waits_for_no_change_and_holds_none_up(pricing: Pricing, pricing_url: str) -> None:
    async with asyncio.timeout(60), await psycopg.AsyncConnection.connect(pricing_url) as changing:
        await changing.execute("SELECT FROM price_epoch FOR UPDATE")
        tried = await pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=[row()], dry_run=True))
        assert [each.effect for each in tried.rows] == [pb.IMPORT_EFFECT_NEW]


async def test_all_rows_are_recorded_or_none(pricing: Pricing) -> None:
    request = pb.ImportCostsRequest(rows=[row("a"), row("b", 0), row("c", created_by=""), row("d", reason="")])
    error = await refusal_of(pricing.stub.ImportCosts(request))
    assert error.kind is Kind.INVALID
    assert [violation.field for violation in error.violations] == [
        "rows[1].price_micros",
        "rows[2].created_by",
        "rows[3].reason",
    ]
    assert await exported(pricing) == []


async def test_guards_stop_an_import_as_a_whole(pricing: Pricing) -> None:
    request = pb.ImportCostsRequest(rows=[row("a"), row("b", 70_000_000)])
    error = await refusal_of(pricing.stub.ImportCosts(request))
    assert (error.kind, error.reason) == (Kind.FAILED_PRECONDITION, "PRICE_GUARD")
    assert [violation.field for violation in error.violations] == ["rows[1].price_micros"]
    assert await exported(pricing) == []
    request.rows[1].override_guards = True
    done = await pricing.stub.ImportCosts(request)
    assert [list(each.cost.overridden_guards) for each in done.rows] == [[], [pb.PRICE_GUARD_ABOVE_CEILING]]


async def test_a_file_full_of_mistakes_is_told_the_first_of_them_and_their_number(pricing: Pricing) -> None:
    mistakes = [row(f"cust{number}", 0, created_by="") for number in range(5_000)]
    for each in (mistakes, [row(f"cust{number}", 70_000_000) for number in range(5_000)]):
        error = await refusal_of(pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=each)))
        assert error.metadata["violations"] == str(len(each) * (2 if each is mistakes else 1))
        assert error.violations[0].field.startswith("rows[0].")
        assert len(error.violations) > 10
        assert error.message.startswith(f"{int(error.metadata['violations']):,} values are at fault")


async def test_an_import_repeated_with_its_key_is_answered_alike(pricing: Pricing) -> None:
    await pricing.set(SPECIFIC_CUSTOMER, 700_000, customer_id="same")
    request = pb.ImportCostsRequest(rows=[row("same"), row("new")], idempotency_key="price list of May")
    answers = await asyncio.gather(*(pricing.stub.ImportCosts(request) for _ in range(5)))
    assert sorted(answer.replayed for answer in answers) == [False] + 4 * [True]
    assert len({str(answer.rows) for answer in answers}) == 1
    request.rows[0].price_micros += 1
    error = await refusal_of(pricing.stub.ImportCosts(request))
    assert (error.kind, error.reason) == (Kind.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED")


async def test_two_rows_about_the_same_are_refused(pricing: Pricing) -> None:
    error = await refusal_of(pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=[row("a"), row("a", 710_000)])))
    assert [(violation.field, violation.reason) for violation in error.violations] == [
        ("rows[1].effective_from", "REPEATED")
    ]


@pytest.mark.parametrize("count", [0, 20_001])
async def test_an_import_has_one_to_twenty_thousand_rows(pricing: Pricing, count: int) -> None:
    error = await refusal_of(pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=[row()] * count)))
    assert [violation.field for violation in error.violations] == ["rows"]


async def test_twenty_thousand_rows_are_recorded_in_seconds_and_come_out_again(pricing: Pricing) -> None:
    await pricing.set(DIRECT_CUSTOMER, 800_000)
    await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="cust00007"))
    request = pb.ImportCostsRequest(rows=rows(20_000))
    since = time.monotonic()
    done = await pricing.stub.ImportCosts(request)
    assert time.monotonic() - since < 15
    assert {each.effect for each in done.rows} == {pb.IMPORT_EFFECT_NEW}
    out = await exported(pricing, SPECIFIC_CUSTOMER)
    assert out == [each.cost for each in done.rows]
    answer = await pricing.stub.ResolvePrice(pb.ResolvePriceRequest(customer_id="cust00007"))
    assert answer.cost == out[7]


async def test_an_export_has_what_is_in_effect_now_or_later(pricing: Pricing) -> None:
    later = Timestamp(seconds=int(time.time()) + 86_400)
    await pricing.set(TUKUPAY, 900_000, effective_from=timestamp("2024-01-01T00:00:00Z"))
    await pricing.set(TUKUPAY, 900_001)
    now = await pricing.set(TUKUPAY, 1_000_000)
    planned = await pricing.set(TUKUPAY, 1_100_000, effective_from=later)
    dropped = await pricing.set(TUKUPAY, 1_200_000, effective_from=later)
    await pricing.stub.WithdrawCost(
        pb.WithdrawCostRequest(cost_id=dropped.cost_id, withdrawn_by="user456", reason="agreed otherwise")
    )
    app = await pricing.set(APP_OWNER, 650_000, app_id="app7")
    assert await exported(pricing) == [app, now, planned]
    assert await exported(pricing, TUKUPAY) == [now, planned]
    unknown = pb.ExportCostsRequest(level=pb.CostLevel.ValueType(99))
    error = await refusal_of(anext(aiter(pricing.stub.ExportCosts(unknown))))
    assert [violation.field for violation in error.violations] == ["level"]
