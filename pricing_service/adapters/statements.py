"""Every statement on the price book."""
# ruff: noqa: S608 - all parts are constants of this file; values travel as parameters

from __future__ import annotations

from typing import Final

from pricing_service.adapters.cost_rows import CostRow

_COLUMNS: Final = ", ".join(CostRow._fields)

# Changes take turns, and questions about what was known wait for the change under way.
TAKE_TURN: Final = "SELECT epoch FROM price_epoch WHERE id = 1 FOR UPDATE"
AWAIT_TURN: Final = "SELECT epoch FROM price_epoch WHERE id = 1 FOR SHARE"

# A statement of its own after the lock: its clock is read when every change before it, and every answer about
# what was known, is past.
OPEN_TURN: Final = """
SELECT epoch, greatest(clock_timestamp(), changed_at + interval '1 microsecond') FROM price_epoch WHERE id = 1
"""

COUNT_CHANGES: Final = "UPDATE price_epoch SET epoch = %(epoch)s, changed_at = %(now)s WHERE id = 1"

# Rows of one statement are about different tiers or instants, so each finds its own newest revision.
RECORD: Final = f"""
INSERT INTO cost ({_COLUMNS})
SELECT added.cost_id, added.level, added.entity, added.price, added.reason, added.effective_from, added.created_by,
       %(now)s, 1 + coalesce((
           SELECT max(revision) FROM cost
           WHERE cost.level = added.level AND cost.entity = added.entity AND cost.effective_from = added.effective_from
       ), 0), %(epoch)s + added.place, string_to_array(added.guards, ','), NULL, NULL, NULL, NULL
FROM unnest(%(cost_ids)s::text[], %(levels)s::text[], %(entities)s::text[], %(prices)s::numeric[],
            %(reasons)s::text[], %(instants)s::timestamptz[], %(authors)s::text[], %(guards)s::text[])
     WITH ORDINALITY AS added (cost_id, level, entity, price, reason, effective_from, created_by, guards, place)
RETURNING cost_id, revision
"""

WITHDRAW: Final = f"""
UPDATE cost SET withdrawn_at = %(now)s, withdrawn_by = %(withdrawn_by)s, withdrawn_reason = %(reason)s,
                withdrawn_epoch = %(epoch)s
WHERE cost_id = %(cost_id)s AND withdrawn_at IS NULL AND effective_from > %(now)s
RETURNING {_COLUMNS}
"""

FIND: Final = f"SELECT {_COLUMNS} FROM cost WHERE cost_id = ANY(%s::text[])"

REMEMBERED: Final = "SELECT fingerprint, cost_ids, previous_prices FROM price_request WHERE idempotency_key = %s"

REMEMBER: Final = """
INSERT INTO price_request (idempotency_key, fingerprint, cost_ids, previous_prices, recorded_at)
VALUES (%s, %s, %s::text[], %s::numeric[], %s)
"""

# By a few at a time, and past those that another replica is at.
FORGET_REQUESTS: Final = """
DELETE FROM price_request WHERE idempotency_key = ANY(ARRAY(
    SELECT idempotency_key FROM price_request WHERE recorded_at < clock_timestamp() - %s::interval
    ORDER BY recorded_at LIMIT %s FOR UPDATE SKIP LOCKED
))
RETURNING idempotency_key
"""

PRICES_IN_EFFECT: Final = """
SELECT found.price, found.effective_from
FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) WITH ORDINALITY AS asked (level, entity, at, place)
LEFT JOIN LATERAL (
    SELECT cost.price, cost.effective_from FROM cost
    WHERE cost.level = asked.level AND cost.entity = asked.entity AND cost.effective_from <= asked.at
      AND cost.withdrawn_at IS NULL
    ORDER BY cost.effective_from DESC, cost.revision DESC
    LIMIT 1
) AS found ON true
ORDER BY asked.place
"""

_RECORDED: Final = "(asked.known_at IS NULL OR cost.recorded_at <= asked.known_at)"
# With no known_at the second half is not true for any withdrawn row.
_COUNTING: Final = f"{_RECORDED} AND (cost.withdrawn_at IS NULL OR cost.withdrawn_at > asked.known_at)"
_OF_TIER: Final = "cost.level = asked.level AND cost.entity = asked.entity"

# Python knows no infinity of instants; it stands for a book without changes.
_EDITION: Final = "SELECT epoch, nullif(changed_at, '-infinity') AS changed_at FROM price_epoch WHERE id = 1"

# One step each way in uq_cost_revision for each look-up.
IN_EFFECT: Final = f"""
SELECT statement_timestamp(), edition.epoch, edition.changed_at, asked.place, following.effective_from, found.*
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
     WITH ORDINALITY AS asked (level, entity, at, known_at, place)
LEFT JOIN ({_EDITION}) AS edition ON true
LEFT JOIN LATERAL (
    SELECT {_COLUMNS} FROM cost
    WHERE {_OF_TIER} AND cost.effective_from <= coalesce(asked.at, statement_timestamp()) AND {_COUNTING}
    ORDER BY cost.effective_from DESC, cost.revision DESC
    LIMIT 1
) AS found ON true
LEFT JOIN LATERAL (
    SELECT cost.effective_from FROM cost
    WHERE {_OF_TIER} AND cost.effective_from > coalesce(asked.at, statement_timestamp()) AND {_COUNTING}
    ORDER BY cost.effective_from
    LIMIT 1
) AS following ON true
"""

_BEFORE: Final = f"""
SELECT {_COLUMNS} FROM cost WHERE {_OF_TIER} AND cost.effective_from <= coalesce(asked.at, statement_timestamp())
"""
_AFTERWARDS: Final = f"""
SELECT {_COLUMNS} FROM cost WHERE {_OF_TIER} AND cost.effective_from > coalesce(asked.at, statement_timestamp())
"""
_NEWEST: Final = "ORDER BY cost.effective_from DESC, cost.revision DESC LIMIT"
_SOONEST: Final = "ORDER BY cost.effective_from, cost.revision DESC LIMIT"

# `kind`: 0 for the row in effect and the next one, without which no resolution is right; 1 and 2 for the nearest.
CONSIDERED: Final = f"""
SELECT statement_timestamp(), edition.epoch, edition.changed_at, asked.place, found.*
FROM unnest(%(levels)s::text[], %(entities)s::text[])
     WITH ORDINALITY AS named (level, entity, place)
LEFT JOIN ({_EDITION}) AS edition ON true
CROSS JOIN LATERAL (
    SELECT named.*, %(at)s::timestamptz AS at, %(known_at)s::timestamptz AS known_at
) AS asked
LEFT JOIN LATERAL (
    (SELECT 0 AS kind, kept.* FROM ({_BEFORE} AND {_COUNTING} {_NEWEST} 1) AS kept)
    UNION ALL
    (SELECT 0, kept.* FROM ({_AFTERWARDS} AND {_COUNTING} {_SOONEST} 1) AS kept)
    UNION ALL
    (SELECT 1, kept.* FROM ({_BEFORE} AND {_RECORDED} {_NEWEST} %(limit)s) AS kept)
    UNION ALL
    (SELECT 2, kept.* FROM ({_AFTERWARDS} AND {_RECORDED} {_SOONEST} %(limit)s) AS kept)
) AS found ON true
ORDER BY asked.place, found.kind,
         CASE found.kind WHEN 1 THEN found.effective_from END DESC, found.effective_from, found.revision DESC
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
            WHERE own.level = %(level)s AND own.entity = %(entity)s AND own.withdrawn_at IS NULL),
           'infinity')
     ORDER BY effective_from, epoch LIMIT %(limit)s)
) AS listed
ORDER BY effective_from, epoch LIMIT %(limit)s
"""

# Tier by tier, and no row is read beyond either limit.
INSTANTS: Final = """
SELECT asked.place, found.effective_from, found.recorded_at, found.withdrawn_at
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked (level, entity, place)
CROSS JOIN LATERAL (
    SELECT effective_from, recorded_at, withdrawn_at FROM cost
    WHERE cost.level = asked.level AND cost.entity = asked.entity LIMIT %s
) AS found
ORDER BY asked.place LIMIT %s
"""

# For statements that read a page by its place in an index: while a table is new or much was added, PostgreSQL believes
# that little is left to read, and would rather sort it all for each page.
IN_ORDER: Final = "SET LOCAL enable_sort = off"

CLOCK: Final = "SELECT clock_timestamp()"

# A row lasts unless another of its tier comes after it that has begun, or is of the same instant. One level at a time:
# among several, PostgreSQL looks for the place of a page from the beginning of the index. And not NOT EXISTS: it would
# rather join and sort all rows for a page of them, as it believes that few are left.
LASTING: Final = f"""
SELECT {_COLUMNS} FROM cost
WHERE level = %(level)s
  AND (entity, effective_from, revision)
      > (%(after_entity)s::text, %(after_instant)s::timestamptz, %(after_revision)s::integer)
  AND recorded_at <= %(as_of)s AND (withdrawn_at IS NULL OR withdrawn_at > %(as_of)s)
  AND coalesce((
      SELECT false FROM cost AS later
      WHERE later.level = cost.level AND later.entity = cost.entity
        AND (later.effective_from, later.revision) > (cost.effective_from, cost.revision)
        AND later.effective_from >= cost.effective_from
        AND later.effective_from <= greatest(%(as_of)s, cost.effective_from)
        AND later.recorded_at <= %(as_of)s AND (later.withdrawn_at IS NULL OR later.withdrawn_at > %(as_of)s)
      LIMIT 1
  ), true)
ORDER BY entity, effective_from, revision LIMIT %(limit)s
"""

TIERS: Final = """
SELECT DISTINCT level, entity FROM cost WHERE (level, entity) > (%s::text, %s::text) ORDER BY level, entity LIMIT %s
"""

BEAT: Final = f"SELECT edition.epoch, edition.changed_at, clock_timestamp() FROM ({_EDITION}) AS edition"

# Each half reads an index of its own, in order, and stops at the limit by itself.
CHANGES: Final = f"""
SELECT * FROM (
    (SELECT epoch AS change, {_COLUMNS} FROM cost WHERE epoch > %(epoch)s ORDER BY epoch LIMIT %(limit)s)
    UNION ALL
    (SELECT withdrawn_epoch, {_COLUMNS} FROM cost
     WHERE withdrawn_epoch > %(epoch)s ORDER BY withdrawn_epoch LIMIT %(limit)s)
) AS changes
ORDER BY change LIMIT %(limit)s
"""
