"""The tiers of the cost model: a level, with the customer or app that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pricing_service.domain import reasons
from pricing_service.domain.identifier import read_identifier
from service_kit.errors import Violation


class Level(StrEnum):
    """Who a price is for."""

    TUKUPAY = "TukuPay"
    """Everybody: the last fallback."""
    APP_OWNER = "AppOwner"
    """The sends that come through one app."""
    SPECIFIC_CUSTOMER = "SpecificCustomer"
    """One customer."""
    DIRECT_CUSTOMER = "DirectCustomer"
    """All customers without a price of their own."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A level and its entity: what a price belongs to."""

    level: Level
    entity: str = ""
    """The customer of SpecificCustomer, the app of AppOwner; empty for the other levels."""

    @property
    def customer_id(self) -> str | None:
        """The customer, for SpecificCustomer; None otherwise."""
        return self.entity if self.level is Level.SPECIFIC_CUSTOMER else None

    @property
    def app_id(self) -> str | None:
        """The app, for AppOwner; None otherwise."""
        return self.entity if self.level is Level.APP_OWNER else None


TUKUPAY: Final = Tier(Level.TUKUPAY)
DIRECT_CUSTOMER: Final = Tier(Level.DIRECT_CUSTOMER)

_OWNER_FIELD: Final = {Level.SPECIFIC_CUSTOMER: "customer_id", Level.APP_OWNER: "app_id"}


def read_tier(
    level: Level | None, customer_id: str | None, app_id: str | None, violations: list[Violation]
) -> Tier | None:
    """The tier that a request names; None, with the reasons appended, when it names none.

    `level` is None when the request has none or one that does not exist. None for `customer_id` and
    `app_id` means that the request has no such field; an empty value is a value.
    """
    before = len(violations)
    if level is None:
        names = ", ".join(Level)
        violations.append(Violation("level", reasons.INVALID_LEVEL, f"is missing or unknown; use one of {names}"))
    owner = _OWNER_FIELD.get(level) if level else None
    for field, value in (("customer_id", customer_id), ("app_id", app_id)):
        if field == owner:
            read_identifier(field, value or "", violations)
        elif value is not None and level is not None:
            problem = f"does not belong to the level {level}; leave it out"
            violations.append(Violation(field, reasons.NOT_ALLOWED, problem))
    if level is None or len(violations) > before:
        return None
    return Tier(level, (customer_id if owner == "customer_id" else app_id) or "" if owner else "")
