"""KES at the terminal: exact decimals outside, whole micros on the wire."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_MICROS = 1_000_000
# Decimal also reads `1_0` as 10, and the digits of other scripts: slips in a price, not prices.
_AMOUNT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def parse_kes(text: str) -> Decimal:
    """An amount with at most 6 decimal places; raises ValueError."""
    if not _AMOUNT.fullmatch(text):
        raise _no_amount(text)
    try:
        amount = Decimal(text)
        micros(amount)
    except InvalidOperation:
        raise _no_amount(text) from None
    return amount


def _no_amount(text: str) -> ValueError:
    return ValueError(f"{text!r} is not an amount in KES, for instance 0.6")


def micros(amount: Decimal) -> int:
    """Whole micros; raises ValueError for an amount that is not finite or finer than that."""
    if not amount.is_finite() or amount != amount.quantize(Decimal(1).scaleb(-6)):
        raise ValueError(f"{amount} has more than 6 decimal places")
    return int(amount * _MICROS)


def kes(amount_micros: int) -> str:
    """The amount in its shortest exact form, for instance `0.6`."""
    text = f"{Decimal(amount_micros).scaleb(-6):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
