"""When prices changed, as reports read it from the real price book."""

from __future__ import annotations

import pytest

from messaging_service.prices.domain.book_prices import RowInstants, Tier, TierHistory
from messaging_service.shared.domain.money import PriceLevel
from pricing_service.use_cases import list_instants
from tests.doubles.written_book import DIRECT, minute
from tests.integration.messaging.reports.test_cost_reports import Reports, pricing, pricing_url, reports

__all__ = ["pricing", "pricing_url", "reports"]

AMINA = Tier(PriceLevel.SPECIFIC_CUSTOMER, "amina")
SHOP = Tier(PriceLevel.APP_OWNER, "shop")
NOBODY = Tier(PriceLevel.SPECIFIC_CUSTOMER, "nobody")


@pytest.mark.parametrize("most", [1_000, 1], ids=["all in one answer", "row by row"])
async def test_a_history_has_the_instants_of_every_row(
    reports: Reports, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(list_instants, "MAX_OF_TIER", most)
    reports.costs(
        [
            {"level": "DirectCustomer", "price": "0.8", "effective": minute(0), "recorded": minute(0)},
            {"level": "DirectCustomer", "price": "0.9", "effective": minute(40), "recorded": minute(1)},
            {"level": "SpecificCustomer", "entity": "amina", "price": "0.5", "effective": minute(30),
             "recorded": minute(2), "withdrawn": minute(20)},
            {"level": "SpecificCustomer", "entity": "amina", "price": "0.6", "effective": minute(10),
             "recorded": minute(15)},
            {"level": "AppOwner", "entity": "shop", "price": "0.7", "effective": minute(5), "recorded": minute(4)},
        ]
    )  # fmt: skip
    assert await reports.book.histories([AMINA, NOBODY, DIRECT, SHOP]) == [
        TierHistory(
            (RowInstants(minute(10), minute(15), None), RowInstants(minute(30), minute(2), minute(20))),
        ),
        TierHistory(()),
        TierHistory((RowInstants(minute(0), minute(0), None), RowInstants(minute(40), minute(1), None))),
        TierHistory((RowInstants(minute(5), minute(4), None),)),
    ]
    assert await reports.book.histories([]) == []
