"""One recorded price, and what it takes to record one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.identifier import has_control_character, read_new_identifier
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
    """KES for one SMS unit, with at most 6 decimals; 0 only where free was asked for."""
    reason: str | None
    effective_from: datetime
    created_by: str
    override_guards: bool = False
    """Whether it is recorded although the guards of its level find it unusual."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """How a row was taken back before it took effect."""

    withdrawn_at: datetime
    """UTC, on the database's clock."""
    withdrawn_by: str
    reason: str
    epoch: int
    """The place among all changes ever recorded."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A recorded price. Never deleted, and never changed but for a withdrawal before it takes effect."""

    cost_id: str
    """`cost_` and 32 hexadecimal digits."""
    tier: Tier
    price: Decimal
    """KES for one SMS unit, with at most 6 decimals; 0 only where free was asked for."""
    reason: str | None
    """None when none was given."""
    effective_from: datetime
    """UTC. The row applies from here until the next row of its tier takes effect."""
    created_by: str
    recorded_at: datetime
    """UTC, on the database's clock."""
    revision: int
    """1 for the first row of a tier and `effective_from`, one more for each that replaced it; the
    highest that is not withdrawn counts."""
    epoch: int
    """The place among all changes ever recorded: later ones have higher numbers, without gaps."""
    overridden_guards: tuple[str, ...] = ()
    """Names of the guards that found it unusual and were overridden."""
    withdrawal: Withdrawal | None = None

    def is_known(self, known_at: datetime | None) -> bool:
        """Whether it was on record at an instant; None means now."""
        return known_at is None or self.recorded_at <= known_at

    def counts(self, known_at: datetime | None) -> bool:
        """Whether it was on record at an instant and not withdrawn then; None means now."""
        if not self.is_known(known_at):
            return False
        return self.withdrawal is None or (known_at is not None and self.withdrawal.withdrawn_at > known_at)

    def as_known(self, known_at: datetime | None) -> Cost:
        """The row as it stood at an instant: without a withdrawal that came later."""
        if self.withdrawal is None or not self.counts(known_at):
            return self
        return replace(self, withdrawal=None)


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was recorded or withdrawn."""

    epoch: int
    cost: Cost
    """As it stands now, so that a row withdrawn since comes with its withdrawal both times."""

    @property
    def at(self) -> datetime:
        """When it was recorded, UTC, on the database's clock."""
        withdrawal = self.cost.withdrawal
        if withdrawal is not None and withdrawal.epoch == self.epoch:
            return withdrawal.withdrawn_at
        return self.cost.recorded_at


def draft_cost(
    *,
    level: Level | None,
    price: Decimal,
    customer_id: str | None,
    app_id: str | None,
    reason: str | None,
    effective_from: datetime | None,
    created_by: str,
    allow_free: bool = False,
    override_guards: bool = False,
    violations: Sequence[Violation] = (),
) -> CostDraft:
    """Checks a price to record.

    None means that the request has no such field; a price of 0 is an absent one unless `allow_free`.
    `violations` are what the caller found already. Raises ServiceError INVALID that names those and every
    other field at fault.
    """
    found = list(violations)
    tier = read_tier(level, customer_id, app_id, found)
    if tier is not None and tier.entity:
        read_new_identifier("app_id" if tier.customer_id is None else "customer_id", tier.entity, found)
    check_price(price, found, allow_free=allow_free)
    reason = _read_reason(level, reason, found)
    check_effective_from(effective_from, found)
    read_new_identifier("created_by", created_by, found)
    if tier is None or effective_from is None or found:
        raise invalid(found)
    return CostDraft(tier, price, reason, effective_from, created_by, override_guards)


def check_price(price: Decimal, found: list[Violation], *, allow_free: bool) -> None:
    """Appends a violation unless the price is possible: above 0 (or 0, if free is allowed), not beyond a million."""
    if not 0 <= price <= MAX_PRICE or (price == 0 and not allow_free):
        problem = f"must be above 0 and at most {MAX_PRICE:,} KES for one SMS unit; 0 must be allowed as a free price"
        found.append(Violation("price_micros", reasons.OUT_OF_RANGE, problem))
    elif price != round(price, MAX_DECIMALS):
        problem = f"has more than {MAX_DECIMALS} decimals"
        found.append(Violation("price_micros", reasons.TOO_PRECISE, problem))


def _read_reason(level: Level | None, reason: str | None, found: list[Violation]) -> str | None:
    if reason is None or not reason.strip():
        if level in _NEEDS_REASON:
            problem = f"is required for the level {level}: say why this price is set"
            found.append(Violation("reason", reasons.REQUIRED, problem))
        return None
    if len(reason) > MAX_REASON:
        problem = f"has {len(reason)} characters; at most {MAX_REASON} are allowed"
        found.append(Violation("reason", reasons.TOO_LONG, problem))
    elif has_control_character(reason, but="\t\n\r"):
        found.append(Violation("reason", reasons.MALFORMED, "has a control character; use plain text"))
    return reason


def check_effective_from(effective_from: datetime | None, found: list[Violation]) -> None:
    """Appends a violation unless there is an instant within the years that prices can have."""
    if any(violation.field == "effective_from" for violation in found):
        return
    if effective_from is None:
        problem = "is required: the first instant at which the price applies"
        found.append(Violation("effective_from", reasons.REQUIRED, problem))
    elif not EARLIEST <= effective_from < END:
        problem = f"is outside the years {EARLIEST.year} to {END.year - 1}"
        found.append(Violation("effective_from", reasons.OUT_OF_RANGE, problem))
