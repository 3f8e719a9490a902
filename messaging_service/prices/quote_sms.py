"""Says what a message would take and cost, and how it could cost less; leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from messaging_service.prices.prices import Prices
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import schedule_problem
from messaging_service.shared.domain.money import Price, free_of_charge
from messaging_service.shared.domain.sender_id import sender_id_problem
from messaging_service.shared.phone_numbers import AccountDestinationCheck, PhoneNumberCheck, destination_refused
from messaging_service.texts.gsm7_advice import Gsm7Advice, advise
from messaging_service.texts.message_text import cut
from messaging_service.texts.segmentation import Segmentation
from service_kit.access.principal import AccessMode
from service_kit.errors import Violation, invalid
from service_kit.identifiers import identifier_problem


@dataclass(frozen=True, slots=True)
class QuoteDraft:
    """What a quote is asked for, checked for nothing yet. Absent optional fields are None."""

    user_id: str
    message: str
    scheduled_time: datetime | None = None
    """Aware, UTC; None or a past time means now."""
    app_id: str | None = None
    recipient_phone_number: str | None = None
    sender_id: str | None = None
    mode: AccessMode = AccessMode.LIVE
    """That of the credential that it would be sent with."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a message would take and cost."""

    segmentation: Segmentation
    price: Price
    total: Decimal
    """KES."""
    advice: Gsm7Advice | None
    """How it could cost less; None when it goes out in GSM-7 as it is."""
    mode: AccessMode = AccessMode.LIVE
    """That of the credential: a test costs nothing."""


class QuoteSms:
    """The use case behind QuoteSms."""

    def __init__(
        self,
        prices: Prices,
        *,
        phone_problem: PhoneNumberCheck,
        destination_problem: AccountDestinationCheck,
        max_units: int,
        now: Callable[[], datetime],
    ) -> None:
        self._prices = prices
        self._phone_problem = phone_problem
        self._destination_problem = destination_problem
        self._max_units = max_units
        self._now = now

    async def __call__(self, draft: QuoteDraft) -> Quote:
        """Quotes for the instant at which the message would go out.

        Raises ServiceError INVALID_ARGUMENT for what sending it would refuse, DESTINATION_NOT_ALLOWED, NO_PRICE or
        PRICING_UNAVAILABLE. Whether the account exists, or can pay, is looked at when it sends.
        """
        now = self._now()
        segmentation = self._checked(draft, now)
        if recipient := draft.recipient_phone_number:
            problem = await self._destination_problem(draft.user_id, recipient)
            if problem is not None:
                raise destination_refused(problem)
        at = draft.scheduled_time
        instant = at if at is not None and at > now else None
        if draft.mode is AccessMode.TEST:
            price = free_of_charge(instant or now).price
        else:
            price = (await self._prices.price_of(draft.user_id, draft.app_id, instant)).price
        return Quote(segmentation, price, price.total(segmentation.units), advise(segmentation), draft.mode)

    def _checked(self, draft: QuoteDraft, now: datetime) -> Segmentation:
        violations: list[Violation] = []
        for field, value in (("user_id", draft.user_id), ("app_id", draft.app_id)):
            if value is not None and (problem := identifier_problem(value)):
                violations.append(Violation(field, reasons.INVALID_IDENTIFIER, problem))
        recipient, sender = draft.recipient_phone_number, draft.sender_id
        if recipient is not None and (problem := self._phone_problem(recipient)):
            violations.append(Violation("recipient_phone_number", reasons.INVALID_PHONE_NUMBER, problem))
        if sender is not None and (problem := sender_id_problem(sender)):
            violations.append(Violation("sender_id", reasons.INVALID_SENDER_ID, problem))
        segmentation, fault = cut(draft.message, self._max_units)
        if fault is not None:
            violations.append(fault)
        if problem := schedule_problem(draft.scheduled_time, now):
            violations.append(Violation("scheduled_time", reasons.SCHEDULE_TOO_FAR, problem))
        if violations or segmentation is None:
            raise invalid(violations)
        return segmentation
