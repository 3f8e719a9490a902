"""The effect of prices on traffic: rehearsals and audits, asked of messaging."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import datetime, timedelta

from service_kit.grpc.timestamps import to_timestamp
from service_kit.settings import Address
from sms_cli.costs.cost_files import FileRow, place_in_file
from sms_cli.shared.call_failures import option_of
from sms_cli.shared.enum_words import enum_word
from sms_cli.shared.kes_amounts import kes, micros
from sms_cli.shared.level_names import LEVEL_NAMES
from sms_cli.shared.service_calls import messaging_stub
from sms_cli.shared.terminal_instants import exact
from tukupay.sms.messaging.v1 import messaging_pb2
from tukupay.sms.messaging.v1 import reports_pb2 as pb
from tukupay.sms.messaging.v1.reports_pb2_grpc import ReportServiceStub

_REPORT_DEADLINE_S = 600.0
_DAY = timedelta(days=1)
_COPY_DEADLINE_S = 60.0


async def rehearsed_costs(
    messaging: Address, rows: Sequence[FileRow], start: datetime, end: datetime
) -> pb.RehearseCostsResponse:
    """What a past period would have cost with these prices."""
    request = pb.RehearseCostsRequest(
        drafts=[
            pb.DraftPrice(
                level=messaging_pb2.PriceLevel.ValueType(row.level),
                price_micros=micros(row.price),
                customer_id=row.customer,
                app_id=row.app,
                effective_from=to_timestamp(row.effective_from),
            )
            for row in rows
        ],
        period_start=to_timestamp(start),
        period_end=to_timestamp(end),
    )

    def named(field: str) -> str:
        return place_in_file(rows, field) or option_of(field)

    async with messaging_stub(messaging, ReportServiceStub, deadline_s=_REPORT_DEADLINE_S, named=named) as stub:
        return await stub.RehearseCosts(request)


async def audited_costs(
    messaging: Address, start: datetime, end: datetime, user: str | None
) -> AsyncGenerator[pb.AuditCostsResponse, None]:
    """The exceptions of a period as they are found, and the totals last."""
    totals = pb.AuditTotals()
    async with messaging_stub(messaging, ReportServiceStub, deadline_s=_REPORT_DEADLINE_S) as stub:
        for first, after in days(start, end):
            request = pb.AuditCostsRequest(
                period_start=to_timestamp(first), period_end=to_timestamp(after), user_id=user
            )
            async for answer in stub.AuditCosts(request):
                if answer.exceptions:
                    yield answer
                for field, value in answer.totals.ListFields():
                    setattr(totals, field.name, getattr(totals, field.name) + value)
    yield pb.AuditCostsResponse(totals=totals)


def days(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A period in pieces of at most a day; a period without length as it is, for the server to refuse.

    Servers close connections that are some minutes old, which an audit of many months would outlast.
    """
    first = start
    while True:
        after = end if end - first <= _DAY else first + _DAY
        yield first, after
        if after >= end:
            return
        first = after


async def audited_copy(messaging: Address) -> pb.AuditPriceCopyResponse:
    """The comparison of messaging's copy of the price book with pricing."""
    async with messaging_stub(messaging, ReportServiceStub, deadline_s=_COPY_DEADLINE_S) as stub:
        return await stub.AuditPriceCopy(pb.AuditPriceCopyRequest())


def total_record(total: pb.RehearsedTotal) -> dict[str, object]:
    """Old and new amounts as JSON; they are text, to stay exact."""
    return {
        "key": LEVEL_NAMES[total.level] if total.HasField("level") else total.user_id or total.app_id,
        "messages": total.messages,
        "units": total.units,
        "old": kes(total.old_micros),
        "new": kes(total.new_micros),
        "difference": kes(total.difference_micros),
    }


def rehearsal_record(answer: pb.RehearseCostsResponse, rows: Sequence[FileRow]) -> dict[str, object]:
    """A rehearsal as JSON."""
    return {
        "currency": "KES",
        "total": total_record(answer.total),
        "byCustomer": [total_record(total) for total in answer.by_customer],
        "byApp": [total_record(total) for total in answer.by_app],
        "byLevel": [total_record(total) for total in answer.by_level],
        "unpricedMessages": answer.unpriced_messages,
        "drafts": [_draft_record(row, draft, rows) for row, draft in zip(rows, answer.drafts, strict=True)],
    }


def _draft_record(row: FileRow, draft: pb.RehearsedDraft, rows: Sequence[FileRow]) -> dict[str, object]:
    record: dict[str, object] = {
        "line": row.line,
        "messages": draft.messages,
        "units": draft.units,
        "new": kes(draft.new_micros),
    }
    if draft.HasField("superseded_by"):
        other = draft.superseded_by
        line = _line_of(other, rows)
        record["supersededBy"] = {
            **({"costId": other.cost_id} if line is None else {"line": line}),
            "level": LEVEL_NAMES[other.level],
            "effectiveFrom": exact(other.effective_from),
        }
    return record


def draft_sentence(row: FileRow, draft: pb.RehearsedDraft, rows: Sequence[FileRow]) -> str:
    """The effect of the price in a line of the file, and what applied instead, as a sentence."""
    priced = f"draft line {row.line} priced {draft.messages:,} {'message' if draft.messages == 1 else 'messages'}"
    if not draft.HasField("superseded_by"):
        return priced if draft.messages else f"{priced}: the period has none that it could price"
    other = draft.superseded_by
    line = _line_of(other, rows)
    name = other.cost_id if line is None else f"line {line}"
    return (
        f"{priced}{';' if draft.messages else ':'} {name} ({LEVEL_NAMES[other.level]}) from "
        f"{exact(other.effective_from)} supersedes it{' elsewhere' if draft.messages else ''}"
    )


def _line_of(other: pb.SupersedingPrice, rows: Sequence[FileRow]) -> int | None:
    """The line of the file that a price comes from; None for a price of the book."""
    _, is_draft, place = other.cost_id.partition("draft_")
    return rows[int(place)].line if is_draft else None


def exception_record(exception: pb.CostException) -> dict[str, object]:
    """An exception as JSON."""
    then = kes(exception.known_then_micros) if exception.HasField("known_then_micros") else None
    now = kes(exception.known_now_micros) if exception.HasField("known_now_micros") else None
    return {
        "outboxId": exception.outbox_id,
        "userId": exception.user_id,
        "createdAt": exact(exception.created_time),
        "units": exception.units,
        "recorded": kes(exception.recorded_micros),
        "recordedCostId": exception.recorded_cost_id,
        "knownThen": then,
        "knownNow": now,
        "cause": cause_word(exception.cause),
        "pricedAt": exact(exception.priced_time),
        "priceKnownAt": exact(exception.price_known_time),
        "approximate": exception.approximate,
    }


def cause_word(cause: pb.CostExceptionCause.ValueType) -> str:
    """A cause for a person."""
    return enum_word(pb.CostExceptionCause, cause)


def audit_totals_record(totals: pb.AuditTotals) -> dict[str, object]:
    """The totals of an audit as JSON."""
    return {
        "entries": totals.entries,
        "asKnownThen": totals.as_known_then,
        "asKnownNow": totals.as_known_now,
        "exceptions": totals.exceptions,
        "difference": kes(totals.difference_micros),
        "currency": "KES",
        "approximateEntries": totals.approximate_entries,
    }


def copy_record(answer: pb.AuditPriceCopyResponse) -> dict[str, object]:
    """The comparison of a copy as JSON."""
    return {
        "answers": answer.answers,
        "copyChecksum": answer.copy_checksum,
        "bookChecksum": answer.book_checksum,
        "epoch": answer.epoch,
        "differing": list(answer.differing),
    }
