"""A key stands for one request: whatever differs in it is another request."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pricing_service.domain.cost import CostDraft
from pricing_service.domain.idempotency import fingerprint
from pricing_service.domain.tier import DIRECT_CUSTOMER, Level, Tier

DRAFT = CostDraft(
    Tier(Level.SPECIFIC_CUSTOMER, "amina"), Decimal("0.7"), "agreed", datetime(2024, 12, 13, tzinfo=UTC), "admin123"
)
CHANGES: dict[str, list[Any]] = {
    "tier": [Tier(Level.SPECIFIC_CUSTOMER, "amin"), Tier(Level.APP_OWNER, "amina"), DIRECT_CUSTOMER],
    "price": [Decimal("0.700001"), Decimal(7)],
    "reason": [None, "", "agreed "],
    "effective_from": [DRAFT.effective_from + timedelta(microseconds=1)],
    "created_by": ["admin124"],
    "override_guards": [True],
}


def test_every_field_is_tried() -> None:
    assert set(CHANGES) == {field.name for field in fields(CostDraft)}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in CHANGES.items() for value in values], ids=str
)
def test_a_request_that_differs_in_one_field_is_another_one(field: str, value: Any) -> None:
    assert fingerprint("set", [replace(DRAFT, **{field: value})]) != fingerprint("set", [DRAFT])


def test_kind_number_and_order_of_drafts_make_another_request_too() -> None:
    other = replace(DRAFT, created_by="admin124")
    prints = [
        fingerprint("set", [DRAFT]),
        fingerprint("import", [DRAFT]),
        fingerprint("set", []),
        fingerprint("set", [DRAFT, DRAFT]),
        fingerprint("set", [DRAFT, other]),
        fingerprint("set", [other, DRAFT]),
    ]
    assert len(set(prints)) == len(prints)


def test_the_same_price_written_otherwise_is_the_same_request() -> None:
    assert fingerprint("set", [replace(DRAFT, price=Decimal("0.700000"))]) == fingerprint("set", [DRAFT])
