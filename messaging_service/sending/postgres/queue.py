"""The dispatch queue: claims, and the ends that nobody else brings about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from messaging_service.accounts.postgres.account_rows import lock_accounts
from messaging_service.carriers.domain.routing import DEFAULT_ROUTE, TEST_ROUTE
from messaging_service.sending.outbox import Claim, valid_until
from messaging_service.sending.postgres.accept_messages import Owner
from messaging_service.sending.postgres.settlement import UnknownTimes
from messaging_service.sending.postgres.unknown import RESEND_AT
from messaging_service.shared.postgres.message_columns import MESSAGE
from service_kit.postgres.database import Connection
from service_kit.tracing.trace_context import from_octets

NORMAL_SHARE = 10
"""The normal lane gets at least one in this many slots, however full the high lane is."""


class _Row(NamedTuple):
    """What the queue says of a message that was claimed."""

    epoch: int
    tries: int
    avoid: Sequence[str]
    trace_id: bytes | None
    """Of the newest event that has one."""


_CLAIMED = MESSAGE.plus(
    _Row, epoch="claimed.epoch", tries="claimed.tries", avoid="claimed.avoid", trace_id="/* trace */ NULL::bytea"
)

# Each lane of a route is read by its own index range: a million future rows of one must not be walked through
# to reach another. `floor` comes first, so that the normal lane keeps its share. A message is `scheduled` until it is
# claimed for the first time, and `ready` from then on whenever it waits.
_CLAIM = f"""
    WITH floor AS MATERIALIZED (
        SELECT ctid AS place FROM dispatch WHERE state = 'ready' AND route = %(route)s AND lane = 1
            AND due_at <= now() AND (expires_at IS NULL OR expires_at > now()) AND NOT (avoid @> %(carriers)s)
        ORDER BY due_at, message_id LIMIT %(floor)s FOR UPDATE SKIP LOCKED
    ), high AS MATERIALIZED (
        SELECT ctid AS place FROM dispatch WHERE state = 'ready' AND route = %(route)s AND lane = 0
            AND due_at <= now() AND (expires_at IS NULL OR expires_at > now()) AND NOT (avoid @> %(carriers)s)
        ORDER BY due_at, message_id LIMIT %(limit)s - (SELECT count(*) FROM floor) FOR UPDATE SKIP LOCKED
    ), rest AS MATERIALIZED (
        SELECT ctid AS place FROM dispatch WHERE state = 'ready' AND route = %(route)s AND lane = 1
            AND due_at <= now() AND (expires_at IS NULL OR expires_at > now()) AND NOT (avoid @> %(carriers)s)
        ORDER BY due_at, message_id
        LIMIT %(limit)s - (SELECT count(*) FROM high) FOR UPDATE SKIP LOCKED
    ), picked AS (
        SELECT place FROM high UNION SELECT place FROM floor UNION SELECT place FROM rest
    ), claimed AS (
        UPDATE dispatch d SET
            state = 'submitting', epoch = d.epoch + 1, owner = %(owner)s,
            lease_until = now() + make_interval(secs => %(lease_s)s)
        WHERE d.ctid = ANY(ARRAY(SELECT place FROM picked))
        RETURNING d.message_id, d.epoch, d.tries, d.avoid
    ), moved AS (
        UPDATE message m SET state = 'submitting', last_attempt_at = now()
        FROM claimed WHERE m.id = claimed.message_id
        RETURNING {_CLAIMED.sql}
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor)
        SELECT id, retry_count + 1,
            CASE WHEN scheduled_at > created_at AND epoch = 1 AND retry_count = 0 THEN 'scheduled' ELSE 'ready' END,
            'submitting', %(owner)s
        FROM moved
    )
    SELECT * FROM moved
"""
# Where tracing is on.
_CLAIM_TRACED = _CLAIM.replace(
    "/* trace */ NULL::bytea",
    "(SELECT e.trace_id FROM message_event e WHERE e.message_id = m.id AND e.trace_id IS NOT NULL "
    "ORDER BY e.id DESC LIMIT 1)",
)

_NEXT_DUE = """
    SELECT extract(epoch FROM min(due_at) - now())::float8 FROM (
        (SELECT due_at FROM dispatch WHERE state = 'ready' AND route = %(route)s AND lane = 0
            AND (expires_at IS NULL OR expires_at > now()) AND NOT (avoid @> %(carriers)s)
            ORDER BY due_at LIMIT 1)
        UNION ALL
        (SELECT due_at FROM dispatch WHERE state = 'ready' AND route = %(route)s AND lane = 1
            AND (expires_at IS NULL OR expires_at > now()) AND NOT (avoid @> %(carriers)s)
            ORDER BY due_at LIMIT 1)
    ) AS heads
"""

_ORPHANS = f"""
    WITH lapsed AS (
        SELECT ctid AS place FROM dispatch WHERE state = 'submitting' AND lease_until < now()
        ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), parked AS (
        UPDATE dispatch d SET
            state = 'unknown', owner = NULL, lease_until = NULL,
            recipient = (SELECT m.recipient FROM message m WHERE m.id = d.message_id), resend_at = {RESEND_AT},
            due_at = now() + make_interval(secs => %(unknown_window_s)s)
        WHERE d.ctid = ANY(ARRAY(SELECT place FROM lapsed))
        RETURNING d.message_id
    ), moved AS (
        UPDATE message m SET state = 'unknown', error_code = 'OUTCOME_UNKNOWN'
        FROM parked WHERE m.id = parked.message_id
        RETURNING m.id, m.retry_count + 1 AS attempt
    )
    INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, code)
    SELECT id, attempt, 'submitting', 'unknown', %(owner)s, 'OUTCOME_UNKNOWN' FROM moved
"""

_OVERDUE = """
    WITH unresolved AS (
        SELECT message_id FROM dispatch WHERE state = 'unknown' AND due_at < now()
        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), stuck AS (
        SELECT message_id FROM dispatch
        WHERE state = 'ready' AND queued_at < now() - make_interval(secs => %(queue_window_s)s)
        ORDER BY queued_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), outdated AS (
        SELECT message_id FROM dispatch WHERE state = 'ready' AND expires_at <= now()
        ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    SELECT m.id, m.account_id
    FROM (
        SELECT message_id FROM unresolved UNION SELECT message_id FROM stuck UNION SELECT message_id FROM outdated
    ) AS overdue
    JOIN message m ON m.id = overdue.message_id
"""

_EXPIRE = """
    WITH gone AS (
        DELETE FROM dispatch WHERE message_id = ANY(%(ids)s) RETURNING message_id, state, expires_at
    ), old AS (
        SELECT m.id, m.state FROM message m WHERE m.id = ANY(%(ids)s)
    ), moved AS (
        UPDATE message m SET
            state = 'expired', billing = 'released',
            error_code = CASE
                WHEN gone.state = 'unknown' THEN 'NO_OUTCOME_IN_TIME'
                WHEN gone.expires_at <= now() THEN 'VALIDITY_OVER'
                ELSE coalesce(m.error_code, 'CARRIER_UNAVAILABLE')
            END
        FROM gone WHERE m.id = gone.message_id
        RETURNING m.id, m.account_id, m.total, m.retry_count + 1 AS attempt, m.error_code
    ), noted AS (
        INSERT INTO message_event (message_id, attempt, from_state, to_state, actor, code)
        SELECT moved.id, moved.attempt, old.state, 'expired', %(owner)s, moved.error_code
        FROM moved JOIN old ON old.id = moved.id
    )
    UPDATE account a SET held = a.held - s.total
    FROM (SELECT account_id, sum(total) AS total FROM moved GROUP BY account_id) s
    WHERE a.id = s.account_id
"""

# The names in use are found by jumping through the index: a long queue must not be read for them.
_REROUTE = """
    WITH RECURSIVE names AS (
        (SELECT route FROM dispatch WHERE state = 'ready' ORDER BY route LIMIT 1)
        UNION ALL
        SELECT (
            SELECT route FROM dispatch WHERE state = 'ready' AND route > names.route ORDER BY route LIMIT 1
        )
        FROM names WHERE names.route IS NOT NULL
    ), strays AS (
        SELECT d.ctid FROM names CROSS JOIN LATERAL (
            SELECT ctid FROM dispatch
            WHERE state = 'ready' AND route = names.route AND lane IN (0, 1)
                AND due_at < now() - make_interval(secs => %(overdue_s)s)
            LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ) d
        WHERE names.route <> ALL(%(known)s::text[]) AND names.route <> %(test)s
    )
    UPDATE dispatch SET route = %(default)s WHERE ctid = ANY(ARRAY(SELECT ctid FROM strays))
"""

SWEEP_LIMIT = 500
REROUTE_AFTER_S = 60.0
"""How long a due row waits for a process that knows its route. While a new set of routes is rolled out, processes
with the old one and with the new one run side by side."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to claim."""

    route: str
    carriers: Sequence[str]
    """Where there is room; rows that avoid all of them are left."""
    limit: int
    floor: int
    """How many of them come from the normal lane at least."""
    with_traces: bool = False
    """Whether to look for the traces of messages that are sampled."""


async def claim(connection: Connection, wanted: Wanted, owner: Owner, began: float) -> list[Claim]:
    """Takes due rows; see Outbox.claim.

    `began` is on the monotonic clock and not later than the transaction: leases and validities are counted from it.
    """
    cursor = await connection.execute(
        _CLAIM_TRACED if wanted.with_traces else _CLAIM,
        {
            "route": wanted.route,
            "carriers": _with_room(wanted.carriers),
            "limit": wanted.limit,
            "floor": wanted.floor,
            "owner": owner.name,
            "lease_s": owner.lease_s,
        },
    )
    claims = []
    for row in await cursor.fetchall():
        message, claimed = _CLAIMED.read(row)
        claims.append(
            Claim(
                message,
                epoch=claimed.epoch,
                tries=claimed.tries,
                fence=began + owner.usable_s,
                avoid=frozenset(claimed.avoid),
                valid_until=valid_until(message, began, message.last_attempt_at),
                trace=from_octets(claimed.trace_id),
            )
        )
    return claims


def _with_room(carriers: Collection[str]) -> list[str]:
    """Nothing avoids a carrier without a name, so without carriers every row is meant."""
    return sorted(carriers) or [""]


async def seconds_to_next_due(connection: Connection, route: str, carriers: Collection[str]) -> float | None:
    """How long until the next queued message of a route is due, 0 when one is; None when none is queued."""
    cursor = await connection.execute(_NEXT_DUE, {"route": route, "carriers": _with_room(carriers)})
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else max(0.0, row[0])


async def park_orphans(connection: Connection, owner: str, unknown: UnknownTimes) -> int:
    """Turns rows whose lease ran out into unknown ones; how many."""
    cursor = await connection.execute(
        _ORPHANS,
        {
            "limit": SWEEP_LIMIT,
            "owner": owner,
            "unknown_window_s": unknown.window_s,
            "resend_after_s": unknown.resend_after_s,
        },
    )
    return cursor.rowcount


async def expire_overdue(connection: Connection, owner: str, queue_window_s: float) -> int:
    """Ends rows that were unknown or queued for too long and releases their holds; how many."""
    cursor = await connection.execute(_OVERDUE, {"limit": SWEEP_LIMIT, "queue_window_s": queue_window_s})
    rows = await cursor.fetchall()
    if not rows:
        return 0
    await lock_accounts(connection, {row[1] for row in rows})
    await connection.execute(_EXPIRE, {"ids": [row[0] for row in rows], "owner": owner})
    return len(rows)


async def reroute(connection: Connection, known: Collection[str]) -> int:
    """Gives due messages of routes that nobody serves any more to the default route; how many."""
    parameters = {
        "default": DEFAULT_ROUTE,
        # Test messages wait for a sandbox carrier, or expire: the default route leads to phones.
        "test": TEST_ROUTE,
        "known": list(known),
        "overdue_s": REROUTE_AFTER_S,
        "limit": SWEEP_LIMIT,
    }
    return (await connection.execute(_REROUTE, parameters)).rowcount
