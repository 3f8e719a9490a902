"""Invoice files of carriers, read line by line, and what does not agree with them."""

from __future__ import annotations

import csv
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import TextIO

from service_kit.channel import open_channel
from service_kit.settings import Address
from sms_cli.connections import readable_errors
from sms_cli.failures import CommandError
from sms_cli.instants import timestamp
from sms_cli.money import kes, micros, parse_kes
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1 import reports_pb2_grpc

COLUMNS = ("carrierMessageId", "day", "messages", "parts", "cost", "status")
FAILED = frozenset({"failed", "rejected", "undelivered", "undeliverable", "expired"})
"""Words of `status`, in any case, for a message that did not arrive; every other word stands for one that did."""
EXCEPTION_COLUMNS = (
    "cause",
    "line",
    "carrierMessageId",
    "outboxId",
    "attempt",
    "userId",
    "day",
    "messages",
    "invoiceMessages",
    "units",
    "carrierParts",
    "invoiceParts",
    "charged",
    "carrierCost",
    "invoiceCost",
)
EXCEPTION_MONEY = ("charged", "carrierCost", "invoiceCost")

_TIMEOUT_S = 900.0
_AT_ONCE = 1_000
_LARGEST = 10**15


class InvoiceFileError(CommandError):
    """A line of the file cannot be read."""

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(
            f"{name}, line {line}: {problem}", f"correct the file; its columns are among {', '.join(COLUMNS)}"
        )


def read_invoice(name: str, file: TextIO) -> Iterator[pb.InvoiceLine]:
    """The lines of a file one by one; raises InvoiceFileError at the first that cannot be read.

    A line is about a message when it has a carrierMessageId, else about a day. An empty cell says nothing.
    """
    rows = csv.reader(file)
    try:
        header = [column.strip() for column in next(rows, [])]
        _check_header(name, header)
        begins = rows.line_num + 1
        for row in rows:
            if any(cell.strip() for cell in row):
                if len(row) != len(header):
                    raise InvoiceFileError(name, begins, f"has {len(row)} cells; the header has {len(header)}")
                cells = {column: cell.strip() for column, cell in zip(header, row, strict=True) if cell.strip()}
                yield _line(name, begins, cells)
            begins = rows.line_num + 1
    except csv.Error as error:
        raise InvoiceFileError(name, rows.line_num, f"is not CSV: {error}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{name} is not UTF-8 text", "save it as CSV in UTF-8") from None


def _check_header(name: str, header: list[str]) -> None:
    unknown = [column for column in header if column not in COLUMNS]
    if unknown or len(set(header)) < len(header) or not {"carrierMessageId", "day"} & set(header):
        what = f"has the column {unknown[0]!r}" if unknown else "needs carrierMessageId or day, and each column once"
        raise InvoiceFileError(name, 1, f"the header {what}")


def _line(name: str, number: int, cells: dict[str, str]) -> pb.InvoiceLine:
    try:
        line = pb.InvoiceLine(line=number, failed=cells.get("status", "").lower() in FAILED)
        if "carrierMessageId" in cells:
            line.carrier_message_id = cells["carrierMessageId"]
        if "day" in cells and "carrierMessageId" not in cells:
            line.day = date.fromisoformat(cells["day"]).isoformat()
        if "messages" in cells:
            line.messages = _count(cells["messages"])
        if "parts" in cells:
            line.parts = _count(cells["parts"])
        if "cost" in cells:
            line.cost_micros = _cost(cells["cost"])
    except ValueError as error:
        raise InvoiceFileError(name, number, str(error)) from None
    return line


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST))):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _cost(text: str) -> int:
    amount = micros(parse_kes(text))
    if not 0 <= amount <= _LARGEST:
        raise ValueError(f"{text!r} is not an amount from 0 to a billion KES")
    return amount


async def reconciled(
    messaging: Address,
    carrier: str,
    period: tuple[datetime, datetime],
    lines: Iterator[pb.InvoiceLine],
    advance: Callable[[int], None],
) -> AsyncGenerator[pb.ReconcileInvoiceResponse, None]:
    """What does not agree, as it comes, and the totals last; `advance` hears how many lines were sent."""
    failures: list[CommandError] = []

    async def requests() -> AsyncIterator[pb.ReconcileInvoiceRequest]:
        start, end = period
        scope = pb.InvoiceScope(carrier=carrier, period_start=timestamp(start), period_end=timestamp(end))
        yield pb.ReconcileInvoiceRequest(scope=scope)
        count = 0
        try:
            while together := list(islice(lines, _AT_ONCE)):
                yield pb.ReconcileInvoiceRequest(lines=together)
                count += len(together)
                advance(count)
        except CommandError as error:
            # Raised here, it would end the call without a word to whoever made it.
            failures.append(error)
            raise

    async with open_channel(messaging) as channel:
        call = reports_pb2_grpc.ReportServiceStub(channel).ReconcileInvoice(requests(), timeout=_TIMEOUT_S)
        try:
            with readable_errors("messaging", messaging):
                async for answer in call:
                    yield answer
        finally:
            if failures:
                raise failures[0]


def cause_word(cause: pb.InvoiceExceptionCause.ValueType) -> str:
    """A cause for a person."""
    return pb.InvoiceExceptionCause.Name(cause).removeprefix("INVOICE_EXCEPTION_CAUSE_").lower()


def exception_row(exception: pb.InvoiceException) -> dict[str, object]:
    """An exception as a row; amounts in KES, as text, and None for what is not known."""
    known = {field.name for field, _ in exception.ListFields()}

    def figure(field: str) -> object:
        return getattr(exception, field) if field in known else None

    def amount(field: str) -> str | None:
        return kes(getattr(exception, field)) if field in known else None

    return {
        "cause": cause_word(exception.cause),
        "line": figure("line"),
        "carrierMessageId": figure("carrier_message_id"),
        "outboxId": figure("outbox_id"),
        "attempt": figure("attempt"),
        "userId": figure("user_id"),
        "day": figure("day"),
        "messages": figure("messages"),
        "invoiceMessages": figure("invoice_messages"),
        "units": figure("units"),
        "carrierParts": figure("carrier_parts"),
        "invoiceParts": figure("invoice_parts"),
        "charged": amount("charged_micros"),
        "carrierCost": amount("carrier_cost_micros"),
        "invoiceCost": amount("invoice_cost_micros"),
    }


def totals_record(totals: pb.InvoiceTotals) -> dict[str, object]:
    """The totals as JSON."""
    return {
        "messageLines": totals.message_lines,
        "matchedLines": totals.matched_lines,
        "dayLines": totals.day_lines,
        "messages": totals.messages,
        "units": totals.units,
        "charged": kes(totals.charged_micros),
        "carrierParts": totals.carrier_parts,
        "carrierCost": kes(totals.carrier_cost_micros),
        "invoiceParts": totals.invoice_parts,
        "invoiceCost": kes(totals.invoice_cost_micros),
        "currency": "KES",
        **{cause_word(count.cause): count.exceptions for count in totals.exceptions},
    }
