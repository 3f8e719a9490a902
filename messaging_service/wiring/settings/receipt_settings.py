"""How long receipts are kept."""

from __future__ import annotations

from dataclasses import dataclass

from service_kit.settings import integer, setting


@dataclass(frozen=True, slots=True)
class ReceiptSettings:
    """What becomes of delivery receipts."""

    receipt_retention_days: int = setting(
        "SMS_RECEIPT_RETENTION_DAYS",
        "days that delivery receipts are kept once they wait for nothing; 0 for ever",
        parse=integer(0, 3_650),
        default=90,
    )
