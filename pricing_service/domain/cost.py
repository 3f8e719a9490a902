"""One recorded price, and what it takes to record one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pricing_service.domain.identifier import has_control_character, read_identifier
from pricing_service.domain.tier import Level, Tier, read_tier
from service_kit.errors import Violation, invalid

MAX_PRICE: Final = Decimal(1_000_000)
"""KES for one SMS unit; anything above is a slip of the keyboard."""
MAX_DECIMALS: Final = 6
MAX_REASON: Final = 500
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
END: Final = datetime(2101, 1, 1, tzinfo=UTC)
"""A price takes effect from EARLIEST on and before END; other instants are typing mistakes."""

_NEEDS_REASON: Final = frozenset({Level.TUKUPAY, Level.SPECIFIC_CUSTOMER})
"""The internal default and the exceptions for single customers are those that people ask about later."""


@dataclass(frozen=True, slots=True)
class CostDraft:
    """A valid price that is not recorded yet."""

    tier: Tier
    price: Decimal
    """KES for one SMS unit, above 0, with at most 6 decimals."""
    reason: str | None
    effective_from: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Cost:
    """A recorded price. Never changed and never deleted."""

    cost_id: str
    """`cost_` and 32 hexadecimal digits."""
    tier: Tier
    price: Decimal
    """KES for one SMS unit, above 0, with at most 6 decimals."""
    reason: str | None
    """None when none was given."""
    effective_from: datetime
    """UTC. The row applies from here until the next row of its tier takes effect."""
    created_by: str
    recorded_at: datetime
    """UTC, on the database's clock."""
    revision: int
    """1 for the first row of a tier and `effective_from`, one more for each that replaced it; the
    highest counts."""
    epoch: int
    """The place among all rows ever recorded: later ones have higher numbers, without gaps."""


def draft_cost(
    *,
    level: Level | None,
    price: Decimal,
    customer_id: str | None,
    app_id: str | None,
    reason: str | None,
    effective_from: datetime | None,
    created_by: str,
    violations: Sequence[Violation] = (),
) -> CostDraft:
    """Checks a price to record.

    None means that the request has no such field; a price of 0 is an absent one. `violations` are what
    the caller found already. Raises ServiceError INVALID that names those and every other field at fault.
    """
    found = list(violations)
    tier = read_tier(level, customer_id, app_id, found)
    _check_price(price, found)
    reason = _read_reason(level, reason, found)
    _check_effective_from(effective_from, found)
    read_identifier("created_by", created_by, found)
    if tier is None or effective_from is None or found:
        raise invalid(found)
    return CostDraft(tier, price, reason, effective_from, created_by)


def _check_price(price: Decimal, found: list[Violation]) -> None:
    if not 0 < price <= MAX_PRICE:
        problem = f"must be above 0 and at most {MAX_PRICE:,} KES for one SMS unit"
        found.append(Violation("price_micros", "OUT_OF_RANGE", problem))
    elif price != round(price, MAX_DECIMALS):
        problem = f"has more than {MAX_DECIMALS} decimals"
        found.append(Violation("price_micros", "TOO_PRECISE", problem))


def _read_reason(level: Level | None, reason: str | None, found: list[Violation]) -> str | None:
    if reason is None or not reason.strip():
        if level in _NEEDS_REASON:
            problem = f"is required for the level {level}: say why this price is set"
            found.append(Violation("reason", "REQUIRED", problem))
        return None
    if len(reason) > MAX_REASON:
        problem = f"has {len(reason)} characters; at most {MAX_REASON} are allowed"
        found.append(Violation("reason", "TOO_LONG", problem))
    elif has_control_character(reason, but="\t\n\r"):
        found.append(Violation("reason", "MALFORMED", "has a control character; use plain text"))
    return reason


def _check_effective_from(effective_from: datetime | None, found: list[Violation]) -> None:
    if any(violation.field == "effective_from" for violation in found):
        return
    if effective_from is None:
        problem = "is required: the first instant at which the price applies"
        found.append(Violation("effective_from", "REQUIRED", problem))
    elif not EARLIEST <= effective_from < END:
        problem = f"is outside the years {EARLIEST.year} to {END.year - 1}"
        found.append(Violation("effective_from", "OUT_OF_RANGE", problem))
