"""Invoices of carriers against messages that were really sent, over gRPC on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from messaging_service.reports.reconcile_invoice import MAX_LINES_AT_ONCE
from messaging_service.shared.domain.message import Message, outbox_id
from service_kit.audit.actor import PLATFORM
from service_kit.errors import Kind
from tests.contract.sms_examples import TWO_UNITS, accepted, unanswered
from tests.integration.messaging.conftest import sent
from tests.integration.messaging.reports.test_reports import Reports, period, reports
from tests.integration.messaging.running_service import refusal_of
from tests.system.messaging_database import rows
from tests.system.messaging_replica import Replica
from tukupay.sms.messaging.v1 import reports_pb2 as pb

__all__ = ["reports"]

CARRIER = "at"
NAIROBI = timedelta(hours=3)


async def message(reports: Reports, outbox: Replica, *ids: str, **changes: Any) -> Message:
    """A message that the carrier took, with what it reported."""
    parts, cost = changes.pop("parts", None), changes.pop("cost", None)
    made = await sent(outbox, accepted(*ids, carrier=CARRIER), **changes)
    statement = """UPDATE message_event SET carrier_parts = %s, carrier_cost = %s
        WHERE message_id = %s AND to_state = 'accepted'"""
    await rows(reports.url, statement, (parts, cost, made.id))
    return made


def lines(*described: dict[str, Any]) -> list[pb.InvoiceLine]:
    """Lines, numbered as in a file whose first line is the header."""
    numbers = count(2)
    return [pb.InvoiceLine(line=next(numbers), **each) for each in described]


async def compared(
    reports: Reports, invoice: Sequence[pb.InvoiceLine], at_once: int = 2, **scope: Any
) -> tuple[list[pb.InvoiceException], pb.InvoiceTotals]:
    requests = [pb.ReconcileInvoiceRequest(scope=pb.InvoiceScope(**({"carrier": CARRIER} | period() | scope)))]
    requests += [
        pb.ReconcileInvoiceRequest(lines=invoice[place : place + at_once]) for place in range(0, len(invoice), at_once)
    ]
    answers = [answer async for answer in reports.stub.ReconcileInvoice(streamed(requests))]
    assert [answer.HasField("totals") for answer in answers] == [*[False] * (len(answers) - 1), True]
    return [each for answer in answers for each in answer.exceptions], answers[-1].totals


async def streamed(requests: Iterable[pb.ReconcileInvoiceRequest]) -> AsyncIterator[pb.ReconcileInvoiceRequest]:
    for request in requests:
        yield request


def word(exception: pb.InvoiceException) -> str:
    return pb.InvoiceExceptionCause.Name(exception.cause).removeprefix("INVOICE_EXCEPTION_CAUSE_")


async def test_an_invoice_that_agrees_has_no_exceptions(reports: Reports, outbox: Replica) -> None:
    await message(reports, outbox, "ATXid_1", parts=1, cost="0.8")
    await message(reports, outbox, "0a", "0B", message=TWO_UNITS)  # a carrier with an id for each part
    invoice = lines(
        {"carrier_message_id": "ATXID_1", "parts": 1, "cost_micros": 800_000},
        {"carrier_message_id": "A", "parts": 1, "cost_micros": 500_000},
        {"carrier_message_id": "b", "parts": 1, "cost_micros": 500_000},
    )
    exceptions, totals = await compared(reports, invoice)
    assert exceptions == []
    assert totals == pb.InvoiceTotals(
        message_lines=3,
        matched_lines=3,
        messages=2,
        units=3,
        charged_micros=1_800_000,
        carrier_parts=1,
        carrier_cost_micros=800_000,
        invoice_parts=3,
        invoice_cost_micros=1_800_000,
        cost_not_compared=1,
    )


async def test_every_disagreement_is_an_exception_with_its_cause_and_all_figures(
    reports: Reports, outbox: Replica
) -> None:
    parts = await message(reports, outbox, "parts", message=TWO_UNITS, parts=2, cost="1.6", user_id="amina")
    reported = await message(reports, outbox, "reported", parts=2)
    cost = await message(reports, outbox, "cost", parts=1, cost="0.8")
    failed = await message(reports, outbox, "failed")
    missing = await message(reports, outbox, "missing")
    uncharged = await sent(outbox, unanswered("uncharged"), message=TWO_UNITS)
    await rows(reports.url, "UPDATE message_part SET carrier = %s WHERE message_id = %s", (CARRIER, uncharged.id))
    invoice = lines(
        {"carrier_message_id": "parts", "parts": 1, "cost_micros": 800_000},
        {"carrier_message_id": "reported", "parts": 1},
        {"carrier_message_id": "cost", "parts": 1, "cost_micros": 800_001},
        {"carrier_message_id": "failed", "parts": 1, "failed": True},
        {"carrier_message_id": "failed", "parts": 1},
        {"carrier_message_id": "foreign", "parts": 3},
        {"carrier_message_id": "uncharged", "parts": 2},
    )
    exceptions, totals = await compared(reports, invoice)
    found = [(word(each), each.line, each.outbox_id) for each in exceptions]
    assert found == [
        ("NOT_OURS", 7, ""),
        ("DUPLICATE_LINE", 6, outbox_id(failed.id)),
        ("NOT_ON_INVOICE", 0, outbox_id(missing.id)),
        ("PARTS_DIFFER", 2, outbox_id(parts.id)),
        ("PARTS_DIFFER", 3, outbox_id(reported.id)),
        ("COST_DIFFERS", 2, outbox_id(parts.id)),
        ("COST_DIFFERS", 4, outbox_id(cost.id)),
        ("CHARGED_BUT_FAILED", 5, outbox_id(failed.id)),
        ("NOT_CHARGED", 8, outbox_id(uncharged.id)),
    ]
    assert exceptions[3] == pb.InvoiceException(
        cause=pb.INVOICE_EXCEPTION_CAUSE_PARTS_DIFFER,
        line=2,
        carrier_message_id="parts",
        outbox_id=outbox_id(parts.id),
        attempt=1,
        user_id="amina",
        units=2,
        charged_micros=1_200_000,
        carrier_parts=2,
        carrier_cost_micros=1_600_000,
        invoice_parts=1,
        invoice_cost_micros=800_000,
    )
    assert sum(each.exceptions for each in totals.exceptions) == 9
    assert (totals.message_lines, totals.matched_lines, totals.messages) == (7, 5, 5)


async def test_a_refunded_charge_is_no_complaint_about_a_failed_message(reports: Reports, outbox: Replica) -> None:
    made = await message(reports, outbox, "failed")
    await reports.books.refund(made.id, "it never arrived", "wanjiru", actor=PLATFORM)
    assert (await compared(reports, lines({"carrier_message_id": "failed", "failed": True})))[0] == []


async def test_days_are_compared_with_what_was_sent_on_them(reports: Reports, outbox: Replica) -> None:
    made = await message(reports, outbox, "d1", parts=1, cost="0.8")
    await message(reports, outbox, "d2", message=TWO_UNITS, parts=2, cost="1.6")
    assert made.sent_at is not None
    day = (made.sent_at + NAIROBI).date()
    right = {"day": str(day), "messages": 2, "parts": 3, "cost_micros": 2_400_000}
    assert (await compared(reports, lines(right)))[0] == []
    wrong = [right | {"messages": 3}, right | {"parts": 2}, right | {"cost_micros": 1}, right | {"day": "2020-01-01"}]
    exceptions, totals = await compared(reports, lines(*wrong))
    assert [(word(each), each.line) for each in exceptions] == [("TOTAL_DIFFERS", line) for line in (2, 3, 4, 5)]
    assert (exceptions[0].messages, exceptions[0].invoice_messages, exceptions[0].units) == (2, 3, 3)
    assert totals.day_lines == 4


async def test_costs_that_the_carrier_never_reported_are_counted_and_not_taken_for_agreement(
    reports: Reports, outbox: Replica
) -> None:
    made = await message(reports, outbox, "smpp", parts=1)
    await message(reports, outbox, "reported", parts=1, cost="0.8")
    tenfold = {"carrier_message_id": "smpp", "parts": 1, "cost_micros": 4_000_000}
    named = {"carrier_message_id": "reported", "parts": 1, "cost_micros": 800_000}
    exceptions, totals = await compared(reports, lines(tenfold, named))
    assert (exceptions, totals.cost_not_compared) == ([], 1)
    # Neither is a cost that the invoice does not name.
    exceptions, totals = await compared(reports, lines(tenfold, named | {"cost_micros": None}))
    assert (exceptions, totals.cost_not_compared) == ([], 2)
    # What costs nothing needs no comparison.
    free = tenfold | {"cost_micros": 0}
    failed = {"carrier_message_id": "smpp", "failed": True}
    await reports.books.refund(made.id, "it never arrived", "wanjiru", actor=PLATFORM)
    for line in (free, failed):
        assert (await compared(reports, lines(line, named)))[1].cost_not_compared == 0
    assert made.sent_at is not None
    day = {"day": str((made.sent_at + NAIROBI).date()), "messages": 2, "parts": 2, "cost_micros": 9}
    exceptions, totals = await compared(reports, lines(day))
    assert (exceptions, totals.cost_not_compared) == ([], 1)


async def test_a_credit_is_taken_off_what_was_billed_and_is_no_duplicate(reports: Reports, outbox: Replica) -> None:
    made = await message(reports, outbox, "a", parts=1, cost="0.8")
    billed = {"carrier_message_id": "a", "parts": 1, "cost_micros": 1_200_000}
    credit = {"carrier_message_id": "A", "parts": 1, "cost_micros": -400_000}
    exceptions, totals = await compared(reports, lines(billed, credit))
    assert (exceptions, totals.invoice_cost_micros, totals.invoice_parts) == ([], 800_000, 1)
    assert totals.cost_not_compared == 0
    exceptions, _ = await compared(reports, lines(billed, credit | {"cost_micros": -300_000}))
    assert [(word(each), each.invoice_cost_micros) for each in exceptions] == [("COST_DIFFERS", 900_000)]
    exceptions, _ = await compared(reports, lines(billed, billed, credit))
    assert [(word(each), each.line) for each in exceptions] == [("DUPLICATE_LINE", 3)]
    assert made.sent_at is not None
    day = {"day": str((made.sent_at + NAIROBI).date()), "messages": 1, "parts": 1, "cost_micros": 1_000_000}
    taken_off = {"day": day["day"], "cost_micros": -200_000}
    assert (await compared(reports, lines(taken_off, day)))[0] == []
    exceptions, totals = await compared(reports, lines(taken_off))
    assert [(word(each), each.invoice_cost_micros) for each in exceptions] == [("TOTAL_DIFFERS", -200_000)]
    assert totals.day_lines == 1


async def test_a_carrier_that_is_none_here_is_refused_and_one_of_before_is_not(
    reports: Reports, outbox: Replica
) -> None:
    error = await refusal_of(compared(reports, [], carrier="sandbx"))
    (violation,) = error.violations
    assert (violation.field, violation.reason) == ("scope.carrier", "UNKNOWN_CARRIER")
    assert violation.description.endswith("give one of at")
    await sent(outbox, accepted("old", carrier="gone"))
    exceptions, totals = await compared(reports, lines({"carrier_message_id": "old", "parts": 1}), carrier="gone")
    assert (exceptions, totals.matched_lines) == ([], 1)


async def test_a_refusal_reaches_a_caller_who_is_still_sending(reports: Reports) -> None:
    invoice = lines(*({"carrier_message_id": f"x{number}"} for number in range(2_000)))
    for _ in range(5):
        error = await refusal_of(compared(reports, invoice, carrier="sandbx"))
        assert error.violations[0].reason == "UNKNOWN_CARRIER"
        faulty = lines({"carrier_message_id": " "}) + invoice
        assert (await refusal_of(compared(reports, faulty))).violations[0].reason == "INVALID_IDENTIFIER"


async def test_an_id_that_a_carrier_used_again_means_the_newest_message(reports: Reports, outbox: Replica) -> None:
    old = await message(reports, outbox, "again", parts=1, user_id="old")
    new = await message(reports, outbox, "AGAIN", message=TWO_UNITS, parts=2, user_id="new")
    await rows(reports.url, "UPDATE message SET sent_at = sent_at - interval '90 days' WHERE id = %s", (old.id,))
    exceptions, totals = await compared(reports, lines({"carrier_message_id": "again", "parts": 2}))
    assert (exceptions, totals.matched_lines) == ([], 1)
    exceptions, _ = await compared(reports, lines({"carrier_message_id": "again", "parts": 1}))
    assert [(word(each), each.outbox_id, each.user_id) for each in exceptions] == [
        ("PARTS_DIFFER", outbox_id(new.id), "new")
    ]


async def test_a_day_of_an_invoice_is_one_of_nairobi_by_when_a_message_was_sent(
    reports: Reports, outbox: Replica
) -> None:
    made = await message(reports, outbox, "late", parts=1)
    statement = "UPDATE message SET created_at = %s, sent_at = %s WHERE id = %s"
    accepted_at, sent_at = datetime(2026, 3, 14, 20, 59, tzinfo=UTC), datetime(2026, 3, 14, 21, 1, tzinfo=UTC)
    await rows(reports.url, statement, (accepted_at, sent_at, made.id))
    for day, messages in (("2026-03-14", 0), ("2026-03-15", 1), ("2026-03-16", 0)):
        exceptions, _ = await compared(reports, lines({"day": day, "messages": messages}))
        assert exceptions == [], day
        exceptions, _ = await compared(reports, lines({"day": day, "messages": 1 - messages}))
        assert [(word(each), each.messages) for each in exceptions] == [("TOTAL_DIFFERS", messages)], day


async def test_only_what_the_carrier_took_in_the_period_has_to_be_on_the_invoice(
    reports: Reports, outbox: Replica
) -> None:
    await sent(outbox, accepted("other", carrier="smpp"))
    old = await message(reports, outbox, "old")
    await rows(reports.url, "UPDATE message SET sent_at = sent_at - interval '9 days' WHERE id = %s", (old.id,))
    exceptions, totals = await compared(reports, lines({"carrier_message_id": "old", "parts": 1}))
    assert (exceptions, totals.messages, totals.matched_lines) == ([], 0, 1)


async def test_nothing_of_an_invoice_is_kept_and_long_ones_come_in_pieces(reports: Reports, outbox: Replica) -> None:
    invoice = lines(*({"carrier_message_id": f"foreign{number}"} for number in range(3_000)))
    for _ in range(2):
        exceptions, _totals = await compared(reports, invoice, at_once=MAX_LINES_AT_ONCE)
        assert len(exceptions) == 3_000
    found = await rows(reports.url, "SELECT count(*) FROM pg_class WHERE relname LIKE 'invoice%%' AND relkind = 'r'")
    assert found == [(0,)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({}, "REQUIRED"),
        ({"carrier_message_id": "x", "day": "2026-01-01"}, "REQUIRED"),
        ({"carrier_message_id": " "}, "INVALID_IDENTIFIER"),
        ({"carrier_message_id": "x", "messages": 1}, "OUT_OF_PLACE"),
        ({"carrier_message_id": "x", "parts": -1}, "OUT_OF_RANGE"),
        ({"carrier_message_id": "x", "cost_micros": 10**16}, "OUT_OF_RANGE"),
        ({"carrier_message_id": "x", "cost_micros": -(10**16)}, "OUT_OF_RANGE"),
        ({"day": "yesterday"}, "INVALID_DAY"),
        ({"day": "20260101"}, "INVALID_DAY"),
        ({"day": "2026-W49-2"}, "INVALID_DAY"),
    ],
)
async def test_lines_that_make_no_sense_are_refused_by_number(
    reports: Reports, line: dict[str, Any], reason: str
) -> None:
    error = await refusal_of(
        compared(reports, lines({"carrier_message_id": "fine"}, {"carrier_message_id": "y"}, line))
    )
    assert (error.kind, error.violations[0].field, error.violations[0].reason) == (Kind.INVALID, "line 4", reason)


async def test_a_scope_is_given_first_and_once(reports: Reports) -> None:
    scope = pb.ReconcileInvoiceRequest(scope=pb.InvoiceScope(carrier=CARRIER, **period()))
    for requests in ([], [pb.ReconcileInvoiceRequest()], [scope, scope]):
        error = await refusal_of(anext(aiter(reports.stub.ReconcileInvoice(streamed(requests)))))
        assert error.violations[0].field == "scope"
    backwards = period(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    error = await refusal_of(compared(reports, [], carrier="", **backwards))
    assert {violation.field for violation in error.violations} == {"scope.period_end", "scope.carrier"}
