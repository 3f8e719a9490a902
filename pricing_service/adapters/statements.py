"""Every statement on the price book."""
# ruff: noqa: S608 - all parts are constants of this file; values travel as parameters

from __future__ import annotations

from typing import Final

_COLUMNS: Final = "cost_id, level, entity, price, reason, effective_from, created_by, recorded_at, revision, epoch"

TAKE_TURN: Final = "UPDATE price_epoch SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch"

# A statement of its own after TAKE_TURN: it sees what the writer before committed.
RECORD: Final = f"""
INSERT INTO cost ({_COLUMNS})
SELECT %(cost_id)s, %(level)s, %(entity)s, %(price)s, %(reason)s, %(effective_from)s, %(created_by)s,
       clock_timestamp(), coalesce(max(revision), 0) + 1, %(epoch)s
FROM cost
WHERE level = %(level)s AND entity = %(entity)s AND effective_from = %(effective_from)s
RETURNING {_COLUMNS}
"""

# One backward step in uq_cost_revision for each look-up.
IN_EFFECT: Final = f"""
SELECT statement_timestamp(), asked.place, found.*
FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) WITH ORDINALITY AS asked (level, entity, at, place)
LEFT JOIN LATERAL (
    SELECT {_COLUMNS} FROM cost
    WHERE cost.level = asked.level AND cost.entity = asked.entity
      AND cost.effective_from <= coalesce(asked.at, statement_timestamp())
    ORDER BY cost.effective_from DESC, cost.revision DESC
    LIMIT 1
) AS found ON true
"""

_AFTER: Final = "effective_from >= %(effective_from)s AND (effective_from, epoch) > (%(effective_from)s, %(epoch)s)"

HISTORY: Final = f"""
SELECT {_COLUMNS} FROM cost
WHERE level = %(level)s AND entity = %(entity)s AND {_AFTER}
ORDER BY effective_from, epoch LIMIT %(limit)s
"""

# Each half stops at the limit by itself, so a page costs a page, however long the history.
HISTORY_WITH_FALLBACK: Final = f"""
SELECT {_COLUMNS} FROM (
    ({HISTORY})
    UNION ALL
    (SELECT {_COLUMNS} FROM cost
     WHERE level = 'DirectCustomer' AND entity = '' AND {_AFTER}
       AND effective_from < coalesce(
           (SELECT min(own.effective_from) FROM cost AS own
            WHERE own.level = %(level)s AND own.entity = %(entity)s),
           'infinity')
     ORDER BY effective_from, epoch LIMIT %(limit)s)
) AS listed
ORDER BY effective_from, epoch LIMIT %(limit)s
"""

EPOCH: Final = "SELECT epoch FROM price_epoch WHERE id = 1"

CHANGES: Final = f"SELECT {_COLUMNS} FROM cost WHERE epoch > %s ORDER BY epoch LIMIT %s"
