"""Reading the outbox for reports: much at once, but never everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from typing_extensions import override

from messaging_service.reports.domain.cost_audit import PricedEntry
from messaging_service.reports.domain.cost_rehearsal import Traffic
from messaging_service.reports.postgres.slices import Place, by_slices
from messaging_service.reports.traffic import TrafficRecords
from messaging_service.shared.domain.money import Price
from messaging_service.shared.domain.states import Billing
from messaging_service.shared.postgres.record_columns import RecordColumns
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.postgres.database import Connection

PAGE: Final = 2_000

# A report may take longer than anything that a sender waits for.
_PATIENT = "SET LOCAL statement_timeout = '10min'"

# Messages recorded before their price instant was kept have the later of the other two, as near as can be; a missing
# scheduled time counts for nothing.
_INSTANT = "coalesce(m.priced_at, greatest(m.scheduled_at, m.created_at))"

_TRAFFIC = RecordColumns(
    Traffic,
    table="m",
    sql={
        "first": f"min({_INSTANT})",
        "last": f"max({_INSTANT})",
        "messages": "count(*)",
        "units": "sum(m.units)",
        "total": "sum(m.total)",
    },
)
_CHARGED = f"""
    SELECT {_TRAFFIC.sql}
    FROM message m
    WHERE m.created_at >= %(start)s AND m.created_at < %(end)s AND m.billing = 'charged' AND m.mode = 'live'
    GROUP BY m.account_id, m.app_id
    LIMIT %(limit)s
"""


# Only what the first look saw: a message that was charged since may lie outside the instants that were priced.
class _Sums(NamedTuple):
    """What was charged from one cut to the next; `number` counts the cuts of a place, from 1."""

    place: int
    number: int
    messages: int
    units: int
    total: Decimal


_CUT = f"""
    SELECT c.place, width_bucket({_INSTANT}, c.cuts) AS number, count(*) AS messages, sum(m.units) AS units,
        sum(m.total) AS total
    FROM (
        SELECT place, account_id, app_id, last, ARRAY(SELECT json_array_elements_text(cuts)::timestamptz) AS cuts
        FROM json_to_recordset(%(cuts)s::json)
            AS input (place int, account_id text, app_id text, last timestamptz, cuts json)
    ) c
    JOIN message m ON m.account_id = c.account_id AND m.app_id IS NOT DISTINCT FROM c.app_id
    WHERE m.created_at >= %(start)s AND m.created_at < %(end)s AND m.billing = 'charged' AND m.mode = 'live'
        AND {_INSTANT} >= c.cuts[1] AND {_INSTANT} <= c.last
    GROUP BY c.place, 2
"""

_ENTRY = RecordColumns(
    PricedEntry,
    table="m",
    sql={"is_charged": f"m.billing = '{Billing.CHARGED.value}'"},
    parts={"price": RecordColumns(Price, columns={"cost_id": "price_cost_id", "level": "price_level"})},
)


class PostgresTraffic(TrafficRecords):
    """Implements the port TrafficRecords. No transaction is left open between two pages."""

    def __init__(self, room: ReportTurns, *, page: int = PAGE) -> None:
        self._room = room
        self._page = page

    @override
    def entries(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[PricedEntry], None]:
        async def page(lower: datetime, upper: datetime, after: Place | None) -> list[PricedEntry]:
            return await self._entries(lower, upper, account_id, after)

        return by_slices(start, end, self._page, page, lambda entry: (entry.created_at, entry.id))

    async def _entries(
        self, lower: datetime, upper: datetime, account_id: str | None, after: Place | None
    ) -> list[PricedEntry]:
        conditions = ["m.created_at >= %(lower)s", "m.created_at < %(upper)s", "m.mode = 'live'"]
        parameters: dict[str, Any] = {"lower": lower, "upper": upper, "page": self._page}
        if account_id is not None:
            conditions.append("m.account_id = %(account_id)s")
            parameters["account_id"] = account_id
        if after is not None:
            conditions.append("(m.created_at, m.id) > (%(after_time)s, %(after_id)s)")
            parameters["after_time"], parameters["after_id"] = after
        statement = (
            f"SELECT {_ENTRY.sql} FROM message m WHERE {' AND '.join(conditions)} "
            "ORDER BY m.created_at, m.id LIMIT %(page)s"
        )
        rows = await self._room.read_page(lambda connection: _rows(connection, statement, parameters))
        return [_ENTRY.read(row) for row in rows]

    @override
    async def charged(self, start: datetime, end: datetime, limit: int) -> Sequence[Traffic]:
        parameters = {"start": start, "end": end, "limit": limit}
        rows = await self._room.read_whole(lambda connection: _rows(connection, _CHARGED, parameters))
        return [_TRAFFIC.read(row) for row in rows]

    @override
    async def charged_between(
        self, start: datetime, end: datetime, cuts: Sequence[tuple[Traffic, Sequence[datetime]]]
    ) -> Sequence[Sequence[Traffic]]:
        asked = [
            {
                "place": place,
                "account_id": traffic.account_id,
                "app_id": traffic.app_id,
                "last": traffic.last,
                "cuts": instants,
            }
            for place, (traffic, instants) in enumerate(cuts)
        ]
        parameters = {"start": start, "end": end, "cuts": msgspec.json.encode(asked).decode()}
        rows = await self._room.read_whole(lambda connection: _rows(connection, _CUT, parameters))
        found = [_Sums._make(row) for row in rows]
        sums = {(each.place, each.number): each for each in found}
        nothing = _Sums(0, 0, 0, 0, Decimal(0))
        return [
            [
                _from(instant, traffic, sums.get((place, number), nothing))
                for number, instant in enumerate(instants, start=1)
            ]
            for place, (traffic, instants) in enumerate(cuts)
        ]


def _from(instant: datetime, traffic: Traffic, sums: _Sums) -> Traffic:
    return replace(traffic, first=instant, messages=sums.messages, units=sums.units, total=sums.total)


async def _rows(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    await connection.execute(_PATIENT)
    cursor = await connection.execute(statement.encode(), parameters)
    return await cursor.fetchall()
