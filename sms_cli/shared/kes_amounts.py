"""KES at the terminal: exact decimals outside, whole micros on the wire."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_MICROS = 1_000_000
# Decimal also reads `1_0` as 10, and the digits of other scripts, which are slips in a price.
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


_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_CURRENCY = re.compile(r"kes\s*", re.IGNORECASE)


def parse_kes_cell(text: str) -> Decimal:
    """An amount as written in files, also `KES 0.8000`, as carriers write costs; raises ValueError.

    A decimal comma is refused, because `1,500` is fifteen hundred to one person and one and a half to another.
    """
    amount = _CURRENCY.sub("", text.strip(), count=1) if _CURRENCY.match(text.strip()) else text.strip()
    if _COMMA.fullmatch(amount):
        raise ValueError(f"{text!r} has a decimal comma; write it with a point, as in {amount.replace(',', '.')}")
    return parse_kes(amount)


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
