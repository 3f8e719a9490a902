"""Invoices of carriers, and what does not agree with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class InvoiceCause(StrEnum):
    """Why something does not agree, in the order in which exceptions are listed."""

    NOT_OURS = "not_ours"
    """The carrier never took this message from us."""
    DUPLICATE_LINE = "duplicate_line"
    """An earlier line has the same id, and this one is no credit."""
    NOT_ON_INVOICE = "not_on_invoice"
    """The carrier accepted it in the period, and no line is about it."""
    PARTS_DIFFER = "parts_differ"
    """Two of our units, the reported parts and the invoiced parts differ."""
    COST_DIFFERS = "cost_differs"
    """The carrier reported another cost than it bills."""
    CHARGED_BUT_FAILED = "charged_but_failed"
    """The invoice says that it failed, and the charge stands."""
    NOT_CHARGED = "not_charged"
    """The carrier bills an attempt that we never charged."""
    TOTAL_DIFFERS = "total_differs"
    """Figures of a day differ."""


@dataclass(frozen=True, slots=True)
class InvoiceScope:
    """What is compared."""

    carrier: str
    start: datetime
    end: datetime
    """The first instant after the period."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line about a message, or about a day; None is what it does not say."""

    line: int
    """Where it stands in the file."""
    carrier_message_id: str | None
    day: date | None
    """Of Nairobi; None for a line about a message."""
    messages: int | None
    parts: int | None
    cost: Decimal | None
    """KES; below 0 for a credit."""
    failed: bool


@dataclass(frozen=True, slots=True)
class InvoiceException:
    """What does not agree; None is what is not known or does not apply."""

    cause: InvoiceCause
    line: int | None
    carrier_message_id: str | None
    message_id: UUID | None
    attempt: int | None
    """Of the message: a carrier bills each attempt, and each has its own charge."""
    account_id: str | None
    day: date | None
    units: int | None
    charged: Decimal | None
    """KES charged less refunded."""
    carrier_parts: int | None
    carrier_cost: Decimal | None
    invoice_parts: int | None
    invoice_cost: Decimal | None
    messages: int | None
    invoice_messages: int | None


@dataclass(frozen=True, slots=True)
class InvoiceTotals:
    """What was compared; amounts in KES."""

    message_lines: int
    matched_lines: int
    day_lines: int
    messages: int
    units: int
    charged: Decimal
    carrier_parts: int
    carrier_cost: Decimal
    invoice_parts: int
    invoice_cost: Decimal
    cost_not_compared: int
    """Attempts and days that lines are about, and whose cost one side does not name."""
    exceptions: Mapping[InvoiceCause, int]
