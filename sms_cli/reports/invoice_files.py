"""Invoice files of carriers, read line by line, and the call that compares them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from typing import IO

from service_kit.csv_files.csv_reader import CsvProblem, CsvReader
from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes, micros, parse_kes_cell
from sms_cli.shared.service_calls import messaging_stub
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1.reports_pb2_grpc import ReportServiceStub

COLUMNS = ("carrierMessageId", "day", "messages", "parts", "cost", "status")
FAILED = frozenset(
    {
        *(
            "failed",
            "fail",
            "failure",
            "rejected",
            "rejectd",
            "undelivered",
            "undeliverable",
            "undeliv",
            "notdelivered",
        ),
        *("expired", "deleted", "cancelled", "canceled", "blocked", "notsent", "deliveryfailure", "deliveryfailed"),
        *("absentsubscriber", "userinblacklist", "donotdisturbrejection", "couldnotroute", "invalidphonenumber"),
        *("invalidsenderid", "unsupportednumbertype", "insufficientbalance", "internalservererror", "gatewayerror"),
        *("rejectedbygateway", "rejectedbyoperator", "rejectedbycarrier", "rejectedbynetwork"),
    }
)
"""Values of `status` for a message that did not arrive, compared without case, spaces and marks."""
TAKEN = frozenset(
    {
        *("success", "successful", "delivered", "delivrd", "deliverd", "sent", "submitted", "accepted", "acceptd"),
        *("queued", "buffered", "processed", "enroute", "pending", "billed", "ok"),
    }
)
"""Values for one that arrived, or still may."""
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

_DEADLINE_S = 900.0
_AT_ONCE = 1_000
_LARGEST = 10**15
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class InvoiceFileError(CommandError):
    """A line of the file cannot be read."""

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(
            f"{name}, line {line}: {problem}", f"correct the file; its columns are among {', '.join(COLUMNS)}"
        )


def read_invoice(name: str, file: IO[bytes]) -> Iterator[pb.InvoiceLine]:
    """The lines of a file one by one; raises InvoiceFileError at the first that cannot be read.

    A line concerns a message when it has a carrierMessageId, otherwise a day. An empty cell is not set.
    """
    reader = CsvReader(file, COLUMNS)
    if reader.problem is None and not {"carrierMessageId", "day"} & set(reader.header):
        raise InvoiceFileError(name, reader.header_line, "the header needs carrierMessageId or day")
    is_empty = True
    for row in reader:
        if isinstance(row, CsvProblem):
            raise InvoiceFileError(name, row.line, row.problem)
        is_empty = False
        yield _line(name, row.line, {column: cell.strip() for column, cell in row.cells.items() if cell.strip()})
    if is_empty:
        raise InvoiceFileError(name, reader.header_line, "there is no line below the header")


def _line(name: str, number: int, cells: dict[str, str]) -> pb.InvoiceLine:
    try:
        line = pb.InvoiceLine(line=number, failed=_is_failed(cells.get("status", "")))
        if "carrierMessageId" in cells:
            line.carrier_message_id = cells["carrierMessageId"]
        if "day" in cells and "carrierMessageId" not in cells:
            line.day = _day(cells["day"])
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
    amount = micros(parse_kes_cell(text))
    if abs(amount) > _LARGEST:
        raise ValueError(f"{text!r} is not an amount of up to a billion KES")
    return amount


def _day(text: str) -> str:
    with suppress(ValueError):
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    raise ValueError(f"{text!r} is not a day such as 2026-01-31")


def _is_failed(status: str) -> bool:
    word = re.sub(r"[\W_]+", "", status).casefold()
    if word and word not in FAILED and word not in TAKEN:
        raise ValueError(
            f"the status {status!r} is not known, so it is not clear whether the message arrived; write Failed or "
            "Success in its place"
        )
    return word in FAILED


async def reconciled(
    messaging: Address,
    carrier: str,
    period: tuple[datetime, datetime],
    lines: Iterator[pb.InvoiceLine],
    advance: Callable[[int], None],
) -> AsyncGenerator[pb.ReconcileInvoiceResponse, None]:
    """The exceptions in pages, and the totals last; `advance` is called with the number of lines sent."""
    failures: list[CommandError] = []

    async def requests() -> AsyncIterator[pb.ReconcileInvoiceRequest]:
        start, end = period
        scope = pb.InvoiceScope(carrier=carrier, period_start=to_timestamp(start), period_end=to_timestamp(end))
        yield pb.ReconcileInvoiceRequest(scope=scope)
        count = 0
        try:
            while together := list(islice(lines, _AT_ONCE)):
                yield pb.ReconcileInvoiceRequest(lines=together)
                count += len(together)
                advance(count)
        except CommandError as error:
            # Raised again below, because here it would only cancel the call.
            failures.append(error)
            raise

    try:
        async with messaging_stub(messaging, ReportServiceStub, deadline_s=_DEADLINE_S) as stub:
            async for answer in stub.ReconcileInvoice(requests()):
                yield answer
    finally:
        if failures:
            raise failures[0]


def cause_word(cause: pb.InvoiceExceptionCause.ValueType) -> str:
    """A cause for a person."""
    return enum_word(pb.InvoiceExceptionCause, cause)


def exception_row(exception: pb.InvoiceException) -> dict[str, object]:
    """An exception as a row; amounts in KES as text, to stay exact, and None for what is not known."""
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
        "costNotCompared": totals.cost_not_compared,
        **{cause_word(count.cause): count.exceptions for count in totals.exceptions},
    }
