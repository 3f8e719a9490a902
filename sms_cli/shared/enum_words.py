"""Values of the contract's enums as words of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

V = TypeVar("V", bound=int)
V_co = TypeVar("V_co", bound=int, covariant=True)


class Enum(Protocol[V_co]):
    """An enum of generated messages, such as `DeliveryState`."""

    def Name(self, number: Any, /) -> str:  # noqa: ANN401, N802 - as generated
        """The name of a value; raises ValueError for a value that it does not have."""
        ...

    def items(self) -> Sequence[tuple[str, V_co]]:
        """Names with their values."""
        ...


def enum_word(enum: Enum[int], value: int) -> str:
    """What the name of a value adds to that of its enum: `in_doubt` for `DELIVERY_STATE_IN_DOUBT`.

    A service of a newer release may have values that this one has no name for: their numbers, as `value_12`.
    """
    return enum_constant(enum, value).lower()


def enum_constant(enum: Enum[int], value: int) -> str:
    """The same in upper case, as reasons are written: `FAR_PAST` for `PRICE_GUARD_FAR_PAST`."""
    try:
        name = enum.Name(value)
    except ValueError:
        return f"VALUE_{value}"
    return name.removeprefix(_prefix(enum))


def enum_words(enum: Enum[V]) -> dict[str, V]:
    """The values of an enum by their words, without the unspecified one."""
    prefix = _prefix(enum)
    return {name.removeprefix(prefix).lower(): value for name, value in enum.items() if value}


def _prefix(enum: Enum[int]) -> str:
    return enum.Name(0).removesuffix("UNSPECIFIED")
