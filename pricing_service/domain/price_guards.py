"""What makes a price unusual, so that somebody should say that it is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from pricing_service.domain import reasons
from pricing_service.domain.cost import CostDraft
from pricing_service.domain.tier import Level
from service_kit.errors import Kind, ServiceError, Violation


class Guard(StrEnum):
    """Names of the guards, as recorded with a row that overrode them."""

    ABOVE_CEILING = "ABOVE_CEILING"
    """The price is higher than prices of the level normally are."""
    RELATIVE_CHANGE = "RELATIVE_CHANGE"
    """The price is far from the one in effect at that instant: a slip of the decimal point."""
    FAR_PAST = "FAR_PAST"
    FAR_FUTURE = "FAR_FUTURE"


_WORDS = {"price_micros": "the price", "effective_from": "the date"}


@dataclass(frozen=True, slots=True)
class ByLevel:
    """A limit for every level."""

    usual: Decimal
    others: tuple[tuple[Level, Decimal], ...] = ()
    """Levels with a limit of their own."""

    def of(self, level: Level) -> Decimal:
        """The limit of a level."""
        return next((limit for other, limit in self.others if other is level), self.usual)


@dataclass(frozen=True, slots=True)
class Guards:
    """The limits of the usual; a price beyond them is recorded only when the caller says that it is meant."""

    ceilings: ByLevel
    """KES for one SMS unit."""
    max_changes: ByLevel
    """Percent by which the larger of two successive prices may exceed the smaller."""
    past: timedelta
    """How far before now a price may take effect."""
    future: timedelta
    """How far after now a price may take effect."""

    def touched(self, draft: CostDraft, in_effect: Decimal | None, now: datetime) -> list[Violation]:
        """What is unusual about a price, with the guard as the reason; nothing when it is an everyday one.

        `in_effect` is the price of the same tier at that instant without the draft; None when there is none.
        """
        level = draft.tier.level
        found: list[Violation] = []
        ceiling = self.ceilings.of(level)
        if draft.price > ceiling:
            problem = f"is {_plain(draft.price)} KES; above {_plain(ceiling)} KES is unusual for the level {level}"
            found.append(Violation("price_micros", Guard.ABOVE_CEILING, problem))
        # A step from or to a price of 0 has no ratio; a free price was asked for explicitly.
        if in_effect and draft.price:
            low, high = sorted((in_effect, draft.price))
            limit = self.max_changes.of(level)
            if (high - low) * 100 > low * limit:
                problem = (
                    f"is {_plain(draft.price)} KES where {_plain(in_effect)} KES is in effect; for the level {level} a "
                    f"difference of more than {_plain(limit)}% of the smaller is unusual"
                )
                found.append(Violation("price_micros", Guard.RELATIVE_CHANGE, problem))
        if draft.effective_from < now - self.past:
            problem = f"lies more than {self.past.days} days in the past"
            found.append(Violation("effective_from", Guard.FAR_PAST, problem))
        if draft.effective_from > now + self.future:
            problem = f"lies more than {self.future.days} days in the future"
            found.append(Violation("effective_from", Guard.FAR_FUTURE, problem))
        return found


def guarded(violations: Sequence[Violation]) -> ServiceError:
    """The failure of prices that touched guards without overriding them."""
    summary = "; ".join(f"{_named(violation.field)} {violation.description}" for violation in violations)
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.PRICE_GUARD,
        f"{summary}. If this is meant, override the guards: the row then records that it was",
        violations=tuple(violations),
        metadata={"guards": ",".join(sorted({violation.reason for violation in violations}))},
    )


def _named(field: str) -> str:
    """A field in words, with its place in a list: the sentence goes to callers of REST, who know it by another name."""
    place, _, name = field.rpartition(".")
    words = _WORDS.get(name, name)
    return f"{place}: {words}" if place else words


def _plain(number: Decimal) -> str:
    """Without zeros that say nothing."""
    return f"{number.normalize():f}"
