"""What a caller wants priced, and the answer when nothing prices it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pricing_service.domain import reasons
from pricing_service.domain.identifier import read_identifier
from pricing_service.domain.tier import Level, Tier
from service_kit.errors import Kind, ServiceError, Violation, invalid


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """Asks for the price of one SMS unit."""

    customer_id: str
    """The account that pays."""
    app_id: str | None
    """The app through which the send comes; None when through none."""
    at: datetime | None
    """The instant to price for, UTC; None means now, on the database's clock."""
    known_at: datetime | None = None
    """The instant as of which the price book is asked, UTC; None means all that is known now."""


def ask_price(
    customer_id: str,
    app_id: str | None,
    at: datetime | None,
    known_at: datetime | None = None,
    violations: Sequence[Violation] = (),
) -> PriceQuestion:
    """Checks a question. `violations` are what the caller found already.

    Raises ServiceError INVALID that names those and every other field at fault.
    """
    found = list(violations)
    read_identifier("customer_id", customer_id, found)
    if app_id is not None:
        read_identifier("app_id", app_id, found)
    if found:
        raise invalid(found)
    return PriceQuestion(customer_id, app_id, at, known_at)


def known_in_the_future() -> ServiceError:
    """The failure of a question about what will be known: nobody can promise that answer."""
    problem = "lies in the future of the database's clock; leave it out for all that is known now"
    return invalid([Violation("known_at", reasons.OUT_OF_RANGE, problem)])


def no_price_for_send(question: PriceQuestion) -> ServiceError:
    """The failure when no tier prices a send: never a price of 0."""
    metadata = {"customer_id": question.customer_id}
    who = f"customer {question.customer_id}"
    if question.app_id is not None:
        metadata["app_id"] = question.app_id
        who += f" through app {question.app_id}"
    when = f"at {_text(question.at)}" if question.at else "now"
    if question.known_at is not None:
        when += f", as known at {_text(question.known_at)},"
    message = f"no price is in effect {when} for {who}: set a DirectCustomer or TukuPay cost effective at that time"
    return ServiceError(Kind.NOT_FOUND, reasons.NO_PRICE, message, metadata=metadata)


def no_price_from(tier: Tier) -> ServiceError:
    """The failure when neither a tier nor its fallbacks have a price in effect now."""
    metadata = {"level": tier.level.value}
    if tier.customer_id is not None:
        metadata["customer_id"] = tier.customer_id
    if tier.app_id is not None:
        metadata["app_id"] = tier.app_id
    remedy = "a TukuPay" if tier.level is Level.TUKUPAY else "a DirectCustomer or TukuPay"
    message = f"no price is in effect now, asked from the level {tier.level}: set {remedy} cost effective now"
    return ServiceError(Kind.NOT_FOUND, reasons.NO_PRICE, message, metadata=metadata)


def _text(instant: datetime) -> str:
    return f"{instant.replace(tzinfo=None).isoformat()}Z"
