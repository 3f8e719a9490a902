"""Files that are too large for one message, still all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from pricing_service.transport import import_in_parts
from service_kit.errors import Kind
from tests.integration.pricing.conftest import Pricing, refusal_of
from tests.integration.pricing.test_price_files import exported, row, rows
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

Part = pb.ImportCostsInPartsRequest


def parts(all_rows: Sequence[pb.SetCostRequest], size: int = 1_000, **first: Any) -> list[Part]:
    chunks = [all_rows[start : start + size] for start in range(0, len(all_rows), size)]
    return [Part(rows=chunk, **(first if not number else {})) for number, chunk in enumerate(chunks)]


async def imported(pricing: Pricing, sent: Iterable[Part]) -> list[pb.ImportCostsInPartsResponse]:
    return [answer async for answer in pricing.stub.ImportCostsInParts(iter(sent))]


def results(answers: Sequence[pb.ImportCostsInPartsResponse]) -> list[pb.ImportedCost]:
    return [result for answer in answers for result in answer.rows]


async def test_every_part_is_answered_with_progress_and_the_results_come_in_order(pricing: Pricing) -> None:
    await pricing.set(pb.COST_LEVEL_SPECIFIC_CUSTOMER, 700_000, customer_id="cust00001")
    answers = await imported(pricing, parts(rows(2_500)))
    assert [answer.checked_rows for answer in answers if not answer.rows] == [1_000, 2_000, 2_500]
    assert not any(answer.rows for answer in answers[:3])
    done = results(answers)
    assert [each.effect for each in done[:3]] == [
        pb.IMPORT_EFFECT_NEW,
        pb.IMPORT_EFFECT_UNCHANGED,
        pb.IMPORT_EFFECT_NEW,
    ]
    assert [each.cost.customer_id for each in done] == [f"cust{number:05}" for number in range(2_500)]
    out = await exported(pricing)
    assert len(out) == 2_500
    # One transaction has one instant.
    assert len({cost.recorded_time.ToNanoseconds() for cost in out}) == 2


async def test_progress_is_told_while_the_caller_has_more_to_send(pricing: Pricing) -> None:
    told = asyncio.Event()

    async def slowly() -> AsyncIterator[Part]:
        first, second = parts(rows(2), 1)
        yield first
        await told.wait()
        yield second

    async with asyncio.timeout(20):
        checked: list[int] = []
        async for answer in pricing.stub.ImportCostsInParts(slowly()):
            checked.append(answer.checked_rows)
            told.set()
    assert checked == [1, 2, 2]


async def test_a_dry_run_records_nothing_and_a_key_replays(pricing: Pricing) -> None:
    rehearsed = results(await imported(pricing, parts(rows(3), 2, dry_run=True)))
    assert {(each.effect, each.cost.cost_id) for each in rehearsed} == {(pb.IMPORT_EFFECT_NEW, "")}
    assert await exported(pricing) == []
    first = await imported(pricing, parts(rows(3), 2, idempotency_key="May"))
    again = await imported(pricing, parts(rows(3), 3, idempotency_key="May"))
    assert ([answer.replayed for answer in again if answer.rows], results(again)) == ([True], results(first))
    at_once = await pricing.stub.ImportCosts(pb.ImportCostsRequest(rows=rows(3), idempotency_key="May"))
    assert (at_once.replayed, list(at_once.rows)) == (True, results(first))


async def test_a_fault_in_the_last_part_leaves_nothing_and_names_the_row(pricing: Pricing) -> None:
    error = await refusal_of(imported(pricing, parts([*rows(1_999), row("b", 0)], idempotency_key="")))
    assert error.kind is Kind.INVALID
    assert [violation.field for violation in error.violations] == ["idempotency_key", "rows[1999].price_micros"]
    error = await refusal_of(imported(pricing, parts([*rows(1_999), row("b", 70_000_000)])))
    assert (error.reason, [each.field for each in error.violations]) == ("PRICE_GUARD", ["rows[1999].price_micros"])
    assert await exported(pricing) == []


async def test_a_caller_that_leaves_half_way_records_nothing(pricing: Pricing) -> None:
    async def half() -> AsyncIterator[Part]:
        yield parts(rows(1_000))[0]
        await asyncio.Event().wait()

    call = pricing.stub.ImportCostsInParts(half())
    assert (await anext(aiter(call))).checked_rows == 1_000
    call.cancel()
    await imported(pricing, parts([row("other")]))
    assert [cost.customer_id for cost in await exported(pricing)] == ["other"]


async def test_a_part_that_never_comes_ends_the_call(pricing: Pricing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_in_parts, "PATIENCE", timedelta(milliseconds=50))

    async def silent() -> AsyncIterator[Part]:
        yield parts(rows(1))[0]
        await asyncio.Event().wait()

    async def call() -> None:
        async for _ in pricing.stub.ImportCostsInParts(silent()):
            pass

    error = await refusal_of(call())
    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "PART_OVERDUE")
    assert await exported(pricing) == []


@pytest.mark.parametrize("sent", [[], [Part()], [Part(rows=rows(2_001))]], ids=["no part", "empty", "too large"])
async def test_parts_have_one_to_two_thousand_rows(pricing: Pricing, sent: list[Part]) -> None:
    error = await refusal_of(imported(pricing, sent))
    assert [violation.field for violation in error.violations] == ["rows"]


async def test_more_rows_than_one_transaction_takes_are_refused(
    pricing: Pricing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_in_parts, "MAX_ROWS_IN_PARTS", 3)
    error = await refusal_of(imported(pricing, parts(rows(4), 2)))
    assert "more than 3 rows" in error.violations[0].description
    assert await exported(pricing) == []
