"""What a history of prices looks like on terminals of any width."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from service_kit.grpc.timestamps import to_timestamp
from sms_cli.costs.costs_commands import WIDE, history_table
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

DEFAULT = pb.Cost(
    level=pb.COST_LEVEL_DIRECT_CUSTOMER,
    price_micros=800_000,
    effective_from=to_timestamp(datetime(2026, 1, 1, tzinfo=UTC)),
    created_by="tukupay-sms up",
    recorded_time=to_timestamp(datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)),
    revision=1,
)
OWN = pb.Cost(
    level=pb.COST_LEVEL_SPECIFIC_CUSTOMER,
    customer_id="a-customer-with-a-long-name",
    price_micros=123_456_789,
    effective_from=to_timestamp(datetime(2026, 2, 1, tzinfo=UTC)),
    created_by="amina.of.finance",
    reason="[agreed] on paper",
    recorded_time=to_timestamp(datetime(2026, 1, 3, tzinfo=UTC)),
    revision=12,
    withdrawal=pb.Withdrawal(withdrawn_by="juma", reason="never signed"),
)


def rendered(width: int) -> str:
    file = StringIO()
    Console(file=file, width=width).print(history_table([DEFAULT, OWN], wide=width >= WIDE))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_history_shows_everything_and_cuts_nothing_off(width: int) -> None:
    text = rendered(width)
    assert "…" not in text
    words = " ".join(text.replace("│", " ").split())
    for shown in ("2026-02-01T00:00:00Z", "123.456789 (withdrawn)", "12", "[agreed] on paper", "never signed", "juma"):
        assert shown in words
    assert "tukupay-sms up" in words
    assert "a-customer-with-a-long-name" in words


def test_a_wide_terminal_also_shows_when_rows_were_recorded() -> None:
    assert "2026-01-02T03:04:05.678Z" in rendered(200)
