"""Compares an invoice with messages, parts and ledger inside PostgreSQL; nothing outlives the comparison."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec
from psycopg.rows import dict_row
from typing_extensions import override

from messaging_service.carriers.domain.submission import canonical_carrier_id
from messaging_service.reports.domain.invoices import (
    InvoiceCause,
    InvoiceException,
    InvoiceLine,
    InvoiceScope,
    InvoiceTotals,
)
from messaging_service.reports.reconcile_invoice import InvoiceRecords
from messaging_service.shared.postgres.record_columns import RecordColumns
from messaging_service.shared.postgres.report_turns import ReportTurns, paged
from service_kit.postgres.database import Connection

PAGE: Final = 1_000

_HAS_TAKEN = "SELECT FROM message_part WHERE carrier = %s LIMIT 1"
_PATIENT = "SET LOCAL statement_timeout = '10min'"
# The next page is read when the caller has taken the one before, and no row is locked meanwhile.
_FOR_SLOW_READERS = "SET LOCAL idle_in_transaction_session_timeout = '60s'"

# Temporary tables of this transaction: an invoice may be longer than memory, and is worth nothing once compared.
_TABLE = """
    CREATE TEMPORARY TABLE invoice_line (
        line int, carrier_message_id text, canonical_id text, day date, messages bigint, parts bigint,
        cost numeric(18, 6), failed boolean
    ) ON COMMIT DROP
"""
_ADD = """
    INSERT INTO invoice_line SELECT * FROM json_to_recordset(%(lines)s::json) AS input (
        line int, carrier_message_id text, canonical_id text, day date, messages bigint, parts bigint,
        cost numeric(18, 6), failed boolean
    )
"""
# A carrier may use its ids again after months: the newest message with the id is meant. A credit takes back what
# another line bills, so it is no second bill.
_MATCH = """
    CREATE TEMPORARY TABLE invoice_match ON COMMIT DROP AS
    SELECT i.line, i.carrier_message_id, i.parts, i.cost, i.failed, p.message_id, p.attempt,
        coalesce(i.cost < 0, false) AS is_credit, NOT coalesce(i.cost < 0, false) AND row_number() OVER (
            PARTITION BY i.canonical_id, coalesce(i.cost < 0, false) ORDER BY i.line
        ) > 1 AS is_duplicate
    FROM invoice_line i LEFT JOIN LATERAL (
        SELECT message_id, attempt FROM message_part
        WHERE carrier = %(carrier)s AND canonical_id = i.canonical_id ORDER BY message_id DESC, attempt DESC LIMIT 1
    ) p ON true
    WHERE i.canonical_id IS NOT NULL
"""
_CHARGED = "(SELECT -sum(amount) FROM ledger_entry l WHERE l.message_id = a.id AND l.attempt = a.attempt)"
# What is ours: attempts that the carrier accepted in the period, and those that a line is about.
_OURS = f"""
    CREATE TEMPORARY TABLE our_attempt ON COMMIT DROP AS
    SELECT a.*, coalesce({_CHARGED}, 0) AS charged, e.carrier_parts, e.carrier_cost, EXISTS (
        SELECT FROM ledger_entry l WHERE l.message_id = a.id AND l.attempt = a.attempt AND l.kind = 'charge'
    ) AS was_charged
    FROM (
        SELECT m.id, m.retry_count + 1 AS attempt, m.account_id, m.units, m.total, m.sent_at, true AS is_in_period
        FROM message m
        WHERE m.created_at < %(end)s AND m.sent_at >= %(start)s AND m.sent_at < %(end)s AND m.carrier = %(carrier)s
            AND m.state IN ('accepted', 'delivered', 'undelivered') AND m.mode = 'live'
        UNION ALL
        SELECT m.id, x.attempt, m.account_id, m.units, m.total, m.sent_at, false
        FROM (SELECT DISTINCT message_id, attempt FROM invoice_match WHERE message_id IS NOT NULL) x
        JOIN message m ON m.id = x.message_id
        WHERE NOT coalesce(
            m.created_at < %(end)s AND m.sent_at >= %(start)s AND m.sent_at < %(end)s AND m.carrier = %(carrier)s
            AND m.state IN ('accepted', 'delivered', 'undelivered') AND m.mode = 'live'
            AND x.attempt = m.retry_count + 1, false
        )
    ) a
    LEFT JOIN LATERAL (
        SELECT carrier_parts, carrier_cost FROM message_event
        WHERE message_id = a.id AND message_event.attempt = a.attempt
            AND (carrier_parts IS NOT NULL OR carrier_cost IS NOT NULL)
        ORDER BY message_event.id DESC LIMIT 1
    ) e ON true
"""
# The lines about one attempt together; a figure that one of them does not say is not known.
_COMPARED = """
    CREATE TEMPORARY TABLE compared ON COMMIT DROP AS
    SELECT o.*, i.line, i.carrier_message_id, i.parts, i.cost, i.failed
    FROM our_attempt o LEFT JOIN (
        SELECT message_id, attempt, min(line) AS line, (array_agg(carrier_message_id ORDER BY line))[1]
                AS carrier_message_id, CASE WHEN bool_and(parts IS NOT NULL OR is_credit) THEN
                sum(parts) FILTER (WHERE NOT is_credit) END AS parts,
            CASE WHEN bool_and(cost IS NOT NULL) THEN sum(cost) END AS cost, bool_or(failed) AS failed
        FROM invoice_match WHERE message_id IS NOT NULL AND NOT is_duplicate GROUP BY message_id, attempt
    ) i ON i.message_id = o.id AND i.attempt = o.attempt
"""
_DAYS = """
    CREATE TEMPORARY TABLE day_total ON COMMIT DROP AS
    SELECT d.*, o.ours, o.units, o.charged, o.carrier_parts, o.carrier_cost
    FROM billed_day d CROSS JOIN LATERAL (
        SELECT count(*) AS ours, coalesce(sum(m.units), 0)::bigint AS units,
            coalesce(sum((SELECT -sum(amount) FROM ledger_entry l
                WHERE l.message_id = m.id AND l.attempt = m.retry_count + 1)), 0) AS charged,
            CASE WHEN bool_and(e.carrier_parts IS NOT NULL) THEN sum(e.carrier_parts) END AS carrier_parts,
            CASE WHEN bool_and(e.carrier_cost IS NOT NULL) THEN sum(e.carrier_cost) END AS carrier_cost
        FROM message m LEFT JOIN LATERAL (
            SELECT carrier_parts, carrier_cost FROM message_event
            WHERE message_id = m.id AND attempt = m.retry_count + 1
                AND (carrier_parts IS NOT NULL OR carrier_cost IS NOT NULL)
            ORDER BY message_event.id DESC LIMIT 1
        ) e ON true
        WHERE m.carrier = %(carrier)s AND m.state IN ('accepted', 'delivered', 'undelivered') AND m.mode = 'live'
            AND m.sent_at >= d.day::timestamp AT TIME ZONE INTERVAL '+03:00'
            AND m.sent_at < (d.day + 1)::timestamp AT TIME ZONE INTERVAL '+03:00'
            AND m.created_at < (d.day + 1)::timestamp AT TIME ZONE INTERVAL '+03:00'
    ) o
"""
# A credit is taken off the first line about its day, or stands alone.
_BILLED_DAYS = """
    CREATE TEMPORARY TABLE billed_day ON COMMIT DROP AS
    SELECT line, day, messages, parts, cost + CASE
        WHEN row_number() OVER (PARTITION BY day ORDER BY line) > 1 THEN 0
        ELSE coalesce((SELECT sum(cost) FROM invoice_line c WHERE c.day = i.day AND c.cost < 0), 0)
    END AS cost
    FROM invoice_line i WHERE day IS NOT NULL AND NOT coalesce(cost < 0, false)
    UNION ALL
    SELECT min(line), day, NULL, NULL, sum(cost) FROM invoice_line c
    WHERE day IS NOT NULL AND cost < 0 AND NOT EXISTS (
        SELECT FROM invoice_line i WHERE i.day = c.day AND NOT coalesce(i.cost < 0, false)
    )
    GROUP BY day
"""
_STEPS = {
    "invoice_match": _MATCH,
    "our_attempt": _OURS,
    "compared": _COMPARED,
    "billed_day": _BILLED_DAYS,
    "day_total": _DAYS,
}

_TYPES: Final = {
    "line": "int",
    "carrier_message_id": "text",
    "message_id": "uuid",
    "attempt": "int",
    "account_id": "text",
    "day": "date",
    "units": "bigint",
    "charged": "numeric",
    "carrier_parts": "bigint",
    "carrier_cost": "numeric",
    "invoice_parts": "bigint",
    "invoice_cost": "numeric",
    "messages": "bigint",
    "invoice_messages": "bigint",
}
"""What an exception shows, as PostgreSQL has it."""
_SHOWN: Final = frozenset({"line", "carrier_message_id", "attempt"})


def _selected(known: frozenset[str], names: Mapping[str, str]) -> str:
    """The columns of an exception, from those of a table that have the same name, another one, or do not exist."""
    expressions = {field: names.get(field, field if field in known else "NULL") for field in _TYPES}
    return ", ".join(f"{expression}::{_TYPES[field]} AS {field}" for field, expression in expressions.items())


_BILLED: Final = {"invoice_parts": "parts", "invoice_cost": "cost"}
_OF_ATTEMPT: Final = _selected(
    _SHOWN | {"account_id", "units", "charged", "carrier_parts", "carrier_cost"}, {"message_id": "id", **_BILLED}
)
_OF_LINE: Final = _selected(_SHOWN | {"message_id"}, _BILLED)
_OF_DAY: Final = _selected(
    frozenset({"line", "day", "units", "charged", "carrier_parts", "carrier_cost"}),
    {"messages": "ours", "invoice_messages": "messages", **_BILLED},
)
_FOUND: dict[InvoiceCause, str] = {
    InvoiceCause.NOT_OURS: f"{_OF_LINE} FROM invoice_match WHERE message_id IS NULL AND NOT is_duplicate",
    InvoiceCause.DUPLICATE_LINE: f"{_OF_LINE} FROM invoice_match WHERE is_duplicate",
    InvoiceCause.NOT_ON_INVOICE: f"""{_OF_ATTEMPT} FROM compared
        WHERE is_in_period AND line IS NULL AND EXISTS (SELECT FROM invoice_match)""",
    InvoiceCause.PARTS_DIFFER: f"""{_OF_ATTEMPT} FROM compared
        WHERE coalesce(parts, units) <> units OR coalesce(carrier_parts, units) <> units""",
    InvoiceCause.COST_DIFFERS: f"{_OF_ATTEMPT} FROM compared WHERE cost <> carrier_cost",
    InvoiceCause.CHARGED_BUT_FAILED: f"{_OF_ATTEMPT} FROM compared WHERE failed AND charged > 0",
    InvoiceCause.NOT_CHARGED: f"""{_OF_ATTEMPT} FROM compared
        WHERE line IS NOT NULL AND NOT failed AND NOT was_charged AND total > 0 AND coalesce(cost, 1) > 0""",
    InvoiceCause.TOTAL_DIFFERS: f"""{_OF_DAY} FROM day_total
        WHERE coalesce(messages, ours) <> ours OR coalesce(parts, units) <> units OR cost <> carrier_cost""",
}
# A cause is its place, so that the exceptions come in this order.
_EXCEPTIONS = " UNION ALL ".join(f"SELECT {place} AS cause, {rest}" for place, rest in enumerate(_FOUND.values()))
_EXCEPTION = RecordColumns(InvoiceException, read={"cause": tuple(_FOUND).__getitem__})
_TOTALS = """
    SELECT
        (SELECT count(*) FROM invoice_match) AS message_lines,
        (SELECT count(*) FROM invoice_match WHERE message_id IS NOT NULL AND NOT is_duplicate) AS matched_lines,
        (SELECT count(*) FROM invoice_line WHERE day IS NOT NULL) AS day_lines,
        count(*) AS messages,
        coalesce(sum(units), 0)::bigint AS units,
        coalesce(sum(charged), 0) AS charged,
        coalesce(sum(carrier_parts), 0)::bigint AS carrier_parts,
        coalesce(sum(carrier_cost), 0) AS carrier_cost,
        (SELECT coalesce(sum(parts), 0)::bigint FROM invoice_match WHERE NOT is_duplicate AND NOT is_credit)
            AS invoice_parts,
        (SELECT coalesce(sum(cost), 0) FROM invoice_match WHERE NOT is_duplicate) AS invoice_cost,
        (SELECT count(*) FROM compared WHERE line IS NOT NULL AND (cost IS NULL OR carrier_cost IS NULL)
            AND cost IS DISTINCT FROM 0 AND NOT (failed AND cost IS NULL))
            + (SELECT count(*) FROM day_total WHERE (cost IS NULL OR carrier_cost IS NULL) AND cost IS DISTINCT FROM 0)
            AS cost_not_compared
    FROM our_attempt WHERE is_in_period
"""


class PostgresInvoiceRecords(InvoiceRecords):
    """Implements the port InvoiceRecords."""

    def __init__(self, room: ReportTurns, *, page: int = PAGE) -> None:
        self._room = room
        self._page = page

    @override
    def compare(
        self, scope: InvoiceScope, lines: AsyncIterator[Sequence[InvoiceLine]]
    ) -> AsyncGenerator[Sequence[InvoiceException] | InvoiceTotals, None]:
        return self._room.handed_over(self._compared(scope, self._room.in_time(lines)))

    @override
    async def has_taken(self, carrier: str) -> bool:
        async with self._room.page() as connection:
            row = await (await connection.execute(_HAS_TAKEN, (carrier,))).fetchone()
        return row is not None

    async def _compared(
        self, scope: InvoiceScope, lines: AsyncIterator[Sequence[InvoiceLine]]
    ) -> AsyncGenerator[Sequence[InvoiceException] | InvoiceTotals, None]:
        counts: dict[InvoiceCause, int] = {}
        async with self._room.whole() as connection:
            await connection.execute(_PATIENT)
            await connection.execute(_FOR_SLOW_READERS)
            await connection.execute(_TABLE)
            async for some in lines:
                rows = msgspec.json.encode([_to_row(line) for line in some]).decode()
                await connection.execute(_ADD, {"lines": rows})
            await _compare(connection, scope)
            async with aclosing(self._exceptions(connection)) as pages:
                async for page in pages:
                    for exception in page:
                        counts[exception.cause] = counts.get(exception.cause, 0) + 1
                    yield page
            async with connection.cursor(row_factory=dict_row) as cursor:
                totals = await (await cursor.execute(_TOTALS)).fetchone()
        assert totals is not None, "sums give one row"  # noqa: S101 - an invariant, not a check of input
        yield InvoiceTotals(**totals, exceptions=counts)

    async def _exceptions(self, connection: Connection) -> AsyncGenerator[Sequence[InvoiceException], None]:
        async with paged(connection, "invoice_exceptions") as cursor:
            await cursor.execute(f"{_EXCEPTIONS} ORDER BY cause, line NULLS LAST, message_id".encode())
            while rows := await cursor.fetchmany(self._page):
                yield [_EXCEPTION.read(row) for row in rows]


async def _compare(connection: Connection, scope: InvoiceScope) -> None:
    parameters = {"carrier": scope.carrier, "start": scope.start, "end": scope.end}
    # Nothing analyses temporary tables by itself, and without figures the planner takes the slowest way.
    await connection.execute("ANALYZE invoice_line")
    for table, statement in _STEPS.items():
        await connection.execute(statement.encode(), parameters)
        await connection.execute(f"ANALYZE {table}".encode())


def _to_row(line: InvoiceLine) -> dict[str, Any]:
    return {
        "line": line.line,
        "carrier_message_id": line.carrier_message_id,
        "canonical_id": None if line.carrier_message_id is None else canonical_carrier_id(line.carrier_message_id),
        "day": line.day,
        "messages": line.messages,
        "parts": line.parts,
        "cost": line.cost,
        "failed": line.failed,
    }
