"""Money between JSON and the wire: plain decimal numbers there, whole micros of a KES here.

Neither direction goes through a float: `0.7` is read digit by digit, and 600,000 micros are written `0.6`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache

import msgspec

from gateway_http.shared import reasons
from service_kit.errors import Violation

MICROS = 1_000_000
MAX_DECIMALS = 6
_LARGEST = 1_000_000_000_000
"""KES; larger amounts do not fit the wire format. What a price may be is decided by the pricing service."""


@lru_cache(maxsize=4_096)
def number(micros: int) -> msgspec.Raw:
    """The shortest exact decimal with at least one decimal place: `0.6`, `1.0`, `0.000001`."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICROS)
    return msgspec.Raw(f"{sign}{whole}.{f'{fraction:06}'.rstrip('0') or '0'}".encode())


def micros(raw: bytes, field: str) -> int | Violation:
    """Whole micros of a JSON number given in KES, or what is wrong with it.

    `raw` is one well-formed JSON value. `7e-1` and `0.7000000` are 0.7; `0.0000001` is refused.
    """
    text = raw.decode("utf-8", "replace")
    if text[:1] not in "-0123456789":
        return _not_a_number(text, field)
    try:
        value = Decimal(text)
    except InvalidOperation:
        return _out_of_range(field)
    # Before the digits are written out: 1e999999 is short here and a megabyte there. Comparing is exact, while
    # arithmetic (abs, too) would round to the context's precision.
    if not -_LARGEST <= value <= _LARGEST:
        return _out_of_range(field)
    sign, digits, exponent = value.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return 0
    # JSON has no infinities, for which alone the exponent is no number.
    power = int(exponent) + len(digits) - len(significant) + MAX_DECIMALS
    if power < 0:
        return Violation(
            field, reasons.TOO_PRECISE, f"has more than {MAX_DECIMALS} decimal places; round it to {MAX_DECIMALS}"
        )
    whole: int = int(significant) * 10**power
    return -whole if sign else whole


def _not_a_number(text: str, field: str) -> Violation:
    if text == "null":
        return Violation(field, reasons.REQUIRED, "is null; it is required, for instance 0.7")
    kinds = {'"': "is a string", "t": "is a boolean", "f": "is a boolean", "[": "is an array"}
    kind = kinds.get(text[:1], "is an object")
    return Violation(field, reasons.WRONG_TYPE, f"{kind}; give a plain number such as 0.7, without quotes")


def _out_of_range(field: str) -> Violation:
    return Violation(field, reasons.OUT_OF_RANGE, "is too large; give it in KES, for instance 0.7")
