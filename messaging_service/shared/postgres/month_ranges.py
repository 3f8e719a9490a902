"""Ranges of ids that keep statements out of months which they do not concern.

`message`, `message_event` and `message_part` have a partition for each month, in UTC, by the id of the message
(docs/decisions/0060-months-of-messages.md). A condition on that id, or a join by it, is what spares a month.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

SKEW: Final = timedelta(days=1)
"""How far the time in an id may lie from `created_at`: ids are made by the clock of a process, before their transaction
begins by the clock of the database. Far more than either differs, and little beside a month."""


def lowest_id_sql(instant: str) -> str:
    """SQL of the lowest id that is made from an instant on; `instant`: SQL of a timestamptz."""
    return f"(lpad(to_hex((extract(epoch FROM {instant}) * 1000)::int8), 12, '0') || '70008000000000000000')::uuid"


def spares(column: str, comparison: str, value: str) -> str:
    """SQL of a comparison that spares months, and nothing else: no index is searched by it.

    Without numbers to look at, the planner takes a range for one row in two hundred, and might read a whole month for
    it in place of the few rows of an account. A comparison with all elements of an array leaves out partitions as a
    plain one does, and is none that an index can answer.
    """
    return f"{column} {comparison} ALL (ARRAY[{value}])"


def in_span(column: str) -> str:
    """SQL: whether an id lies within the parameter `span`, beside a join by the same ids.

    A join alone leaves out months only while it runs, when all of them have been made ready for it: 3 µs each. The text
    keeps the planner from planning anew for each span, as its value is not known before the statement runs.

    Not for a statement that changes the table within a WITH and may wait for a row: PostgreSQL 18.6 then looks at the
    row again with the months that were left out, and its process dies.
    """
    least, greatest = "(%(span)s::text::uuid[])[1]", "(%(span)s::text::uuid[])[2]"
    return f"{spares(column, '>=', least)} AND {spares(column, '<=', greatest)}"


IDS: Final = "ANY (ARRAY(SELECT unnest(%(ids)s::uuid[])))"
"""SQL of the parameter `ids`, to be compared with beside `in_span`. With a plain `= ANY(ids)` the planner would choose
to plan anew for each set of ids; with a join alone, whose cost it adds up over all months, to read a month whole."""


def span(ids: Collection[UUID]) -> str:
    """The parameter `span`: the least and the greatest of some ids. Without any, nothing lies within."""
    return f"{{{min(ids)},{max(ids)}}}" if ids else "{}"


# Ids may be ahead of the database: an hour before its month ends, the newest months are this one and the next.
_MONTH: Final = "date_trunc('month', now() + interval '1 hour', 'UTC')"


def in_newest_months(column: str) -> str:
    """SQL: whether a message is of this month or of the one before, which a statement then looks at alone."""
    first, after = (lowest_id_sql(f"{_MONTH} {sign} interval '1 month'") for sign in "-+")
    return f"{spares(column, '>=', first)} AND {spares(column, '<', after)}"


_ANY_FROM: Final = "'00000000-0000-0000-0000-000000000000'"
_BOUND: Final = "pg_get_expr(c.relpartbound, c.oid)"
KEPT_FROM: Final = rf"""(
    SELECT CASE WHEN bool_or(strpos({_BOUND}, '(MINVALUE)') > 0) THEN {_ANY_FROM}
        ELSE coalesce(min(substring({_BOUND} FROM 'FROM \(''([0-9a-f-]+)''\)')), {_ANY_FROM}) END::uuid
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = 'message'::regclass
)"""
"""SQL of the lowest id that a message can have: those below were of months that are removed."""
