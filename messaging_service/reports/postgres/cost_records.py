"""What messages came to, from the outbox and the ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from typing_extensions import override

from messaging_service.reports.domain.cost_report import Basis, CostGroup, CostSums, Grouping, ReportedMessage
from messaging_service.reports.postgres.slices import Place, by_slices
from messaging_service.reports.report_costs import CostRecords
from messaging_service.shared.postgres.record_columns import RecordColumns
from messaging_service.shared.postgres.report_turns import ReportTurns, paged
from service_kit.postgres.database import Connection

PAGE: Final = 1_000
_ZERO: Final = Decimal(0)

# A report may take longer than anything that a sender waits for.
_PATIENT = "SET LOCAL statement_timeout = '10min'"
# The next page is read when the caller has taken the one before, and no row is locked meanwhile.
_FOR_SLOW_READERS = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_KEYS: dict[Grouping, str] = {
    # Kenya keeps no summer time, and a fixed offset is cheaper than a look at the zones for every row.
    Grouping.DAY: "to_char(m.created_at AT TIME ZONE INTERVAL '+03:00', 'YYYY-MM-DD')",
    Grouping.ACCOUNT: "m.account_id",
    Grouping.APP: "m.app_id",
    Grouping.SENDER: "m.sender_id",
    Grouping.LEVEL: "m.price_level",
    Grouping.CARRIER: "m.carrier",
    Grouping.TAG: "tag.name",
}
# A tag that a message has twice counts once; a message without any is in the group without a key.
_TAGS = "CROSS JOIN LATERAL (SELECT DISTINCT unnest(CASE m.tags WHEN '{}' THEN ARRAY[NULL] ELSE m.tags END)) tag (name)"

# The two sides are summed apart, so that an attempt more in the ledger does not count the message again.
_SUMS = """
    SELECT {keys} sum(messages)::bigint, sum(units)::bigint, coalesce(sum(charged), 0), coalesce(sum(refunded), 0),
        coalesce(sum(held), 0)
    FROM (
        SELECT {named} 1 AS messages, m.units, 0::numeric AS charged, 0::numeric AS refunded,
            CASE m.billing WHEN 'held' THEN m.total ELSE 0 END AS held
        FROM message m {tags} WHERE {where}
        UNION ALL
        SELECT {named} 0, 0, CASE l.kind WHEN 'charge' THEN -l.amount ELSE 0 END,
            CASE l.kind WHEN 'refund' THEN l.amount ELSE 0 END, 0
        FROM message m JOIN ledger_entry l ON l.message_id = m.id {tags} WHERE {where}
    ) side
    {order}
"""

# What was booked in the period, as statements have it; the message only says in which groups it is.
_BOOKED = """
    SELECT {keys} sum(messages)::bigint, sum(units)::bigint, coalesce(sum(charged), 0), coalesce(sum(refunded), 0),
        0::numeric
    FROM (
        SELECT {named} (l.kind = 'charge')::int AS messages, CASE l.kind WHEN 'charge' THEN m.units ELSE 0 END AS units,
            CASE l.kind WHEN 'charge' THEN -l.amount ELSE 0 END AS charged,
            CASE l.kind WHEN 'refund' THEN l.amount ELSE 0 END AS refunded
        FROM ledger_entry l JOIN message m ON m.id = l.message_id {tags}
        WHERE l.kind IN ('charge', 'refund') AND {where}
    ) side
    {order}
"""
_BOOKED_ON = "to_char(l.created_at AT TIME ZONE INTERVAL '+03:00', 'YYYY-MM-DD')"

# Entries of a page are looked up by their keys: nothing else is read of ledger and events.
_REPORTED = RecordColumns(
    ReportedMessage,
    table="m",
    columns={"level": "price_level"},
    sql={
        "charged": "coalesce(l.charged, 0)",
        "refunded": "coalesce(l.refunded, 0)",
        "carrier_parts": "e.carrier_parts",
        "carrier_cost": "e.carrier_cost",
    },
)
_MESSAGES = """
    SELECT {columns}
    FROM (
        SELECT * FROM message m WHERE {where} ORDER BY m.created_at, m.id LIMIT %(page)s
    ) m
    LEFT JOIN LATERAL (
        SELECT -sum(amount) FILTER (WHERE kind = 'charge') AS charged,
            sum(amount) FILTER (WHERE kind = 'refund') AS refunded
        FROM ledger_entry WHERE message_id = m.id
    ) l ON true
    LEFT JOIN LATERAL (
        SELECT carrier_parts, carrier_cost FROM message_event
        WHERE message_id = m.id AND (carrier_parts IS NOT NULL OR carrier_cost IS NOT NULL) ORDER BY id DESC LIMIT 1
    ) e ON true
    ORDER BY m.created_at, m.id
"""


class PostgresCostRecords(CostRecords):
    """Implements the port CostRecords."""

    def __init__(self, room: ReportTurns, *, page: int = PAGE) -> None:
        self._room = room
        self._page = page

    @override
    def groups(
        self,
        start: datetime,
        end: datetime,
        by: Sequence[Grouping],
        account_id: str | None,
        *,
        basis: Basis = Basis.CREATION,
    ) -> AsyncGenerator[Sequence[CostGroup] | CostSums, None]:
        # One snapshot, read through a cursor: the groups may be as many as the messages.
        where, parameters = _period(start, end, account_id, "m" if basis is Basis.CREATION else "l")
        return self._room.streamed(lambda connection: self._groups(connection, by, where, parameters, basis))

    async def _groups(
        self, connection: Connection, by: Sequence[Grouping], where: str, parameters: dict[str, Any], basis: Basis
    ) -> AsyncGenerator[Sequence[CostGroup] | CostSums, None]:
        width = len(by)
        await connection.execute(_SNAPSHOT)
        await connection.execute(_PATIENT)
        await connection.execute(_FOR_SLOW_READERS)
        totals = None
        if Grouping.TAG in by:
            totals = await _totals(connection, where, parameters, basis)
        added = CostSums(0, 0, _ZERO, _ZERO, _ZERO)
        async with paged(connection, "cost_groups") as cursor:
            await cursor.execute(_statement(by, where, basis).encode(), parameters)
            while rows := await cursor.fetchmany(self._page):
                groups = [CostGroup(tuple(row[:width]), CostSums(*row[width:])) for row in rows]
                for group in groups:
                    added = _plus(added, group.sums)
                yield groups
        yield added if totals is None else totals

    @override
    def messages(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[ReportedMessage], None]:
        # No transaction is left open between two pages.

        async def page(lower: datetime, upper: datetime, after: Place | None) -> list[ReportedMessage]:
            where, parameters = _period(lower, upper, account_id)
            if after is not None:
                where += " AND (m.created_at, m.id) > (%(after_time)s, %(after_id)s)"
                parameters |= {"after_time": after[0], "after_id": after[1]}

            async def read(connection: Connection) -> list[ReportedMessage]:
                await connection.execute(_PATIENT)
                cursor = await connection.execute(
                    _MESSAGES.format(columns=_REPORTED.sql, where=where).encode(), parameters | {"page": self._page}
                )
                return [_REPORTED.read(row) for row in await cursor.fetchall()]

            return await self._room.read_page(read)

        return by_slices(start, end, self._page, page, lambda message: (message.created_at, message.id))


def _period(start: datetime, end: datetime, account_id: str | None, of: str = "m") -> tuple[str, dict[str, Any]]:
    """The condition of a period; `of`: the table by whose time it goes, `m` for messages and `l` for entries."""
    where = f"{of}.created_at >= %(start)s AND {of}.created_at < %(end)s"
    if of == "m":
        # Test messages cost nothing and are in no ledger.
        where += " AND m.mode = 'live'"
    parameters: dict[str, Any] = {"start": start, "end": end}
    if account_id is not None:
        where += f" AND {of}.account_id = %(account)s"
        parameters["account"] = account_id
    return where, parameters


def _statement(by: Sequence[Grouping], where: str, basis: Basis) -> str:
    names = [f"k{place}" for place in range(len(by))]
    # By bytes: the order is the same on every server, and needs no rules of a language.
    places = ", ".join(f'{name} COLLATE "C"' for name in names)
    statement, of = _SUMS, _KEYS
    if basis is Basis.BOOKING:
        statement, of = _BOOKED, _KEYS | {Grouping.DAY: _BOOKED_ON}
    return statement.format(
        keys="".join(f"{name}, " for name in names),
        named="".join(f"{of[grouping]} AS {name}, " for grouping, name in zip(by, names, strict=True)),
        tags=_TAGS if Grouping.TAG in by else "",
        where=where,
        order=f"GROUP BY {', '.join(names)} ORDER BY {places}" if by else "",
    )


async def _totals(connection: Connection, where: str, parameters: dict[str, Any], basis: Basis) -> CostSums:
    row = await (await connection.execute(_statement((), where, basis).encode(), parameters)).fetchone()
    assert row is not None, "sums give one row"  # noqa: S101 - an invariant, not a check of input
    return CostSums(row[0] or 0, row[1] or 0, *row[2:])


def _plus(left: CostSums, right: CostSums) -> CostSums:
    return CostSums(
        left.messages + right.messages,
        left.units + right.units,
        left.charged + right.charged,
        left.refunded + right.refunded,
        left.held + right.held,
    )
