"""The cost levels and the guards of prices in the words of the public contract."""

from __future__ import annotations

from collections.abc import Mapping

from sms_cli.shared.enum_words import enum_constant, enum_words
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

LEVEL_NAMES: Mapping[int, str] = {
    pb.COST_LEVEL_TUKUPAY: "TukuPay",
    pb.COST_LEVEL_APP_OWNER: "AppOwner",
    pb.COST_LEVEL_SPECIFIC_CUSTOMER: "SpecificCustomer",
    pb.COST_LEVEL_DIRECT_CUSTOMER: "DirectCustomer",
}
"""Names by the values of `CostLevel` and of messaging's `PriceLevel`, which are equal."""

_WORDS: Mapping[str, str] = {word: LEVEL_NAMES[level] for word, level in enum_words(pb.CostLevel).items()}
"""Names by the words that reports use, such as `direct_customer`."""


def level_name(word: str) -> str:
    """The name of the level with this word in reports; the word itself when there is none."""
    return _WORDS.get(word, word)


def parse_level(text: str) -> pb.CostLevel.ValueType:
    """The level of that name, in any case; raises ValueError that lists the names."""
    for level, name in LEVEL_NAMES.items():
        if name.lower() == text.lower():
            return pb.CostLevel.ValueType(level)
    raise ValueError(f"{text!r} is not a level; the levels are {', '.join(LEVEL_NAMES.values())}")


def guard_name(guard: pb.PriceGuard.ValueType) -> str:
    """The guard in the word of reasons, for instance `FAR_PAST`."""
    return enum_constant(pb.PriceGuard, guard)
