"""Bind leases as rows, on the clock of the database."""

from __future__ import annotations

from collections import Counter

from typing_extensions import override

from messaging_service.carriers.bind_leases import BindLeases, LeaseShare, LeaseTerms, fair_shares
from service_kit.postgres.database import Connection, Pool, transaction

_ENSURE = """
    INSERT INTO bind_lease (carrier, number) SELECT %(carrier)s, generate_series(1, %(max_binds)s)
    ON CONFLICT DO NOTHING
"""

# All rows of the carrier are locked, so renewals of one carrier go one after another and each sees the
# whole of what the one before left.
_LOCK = """
    SELECT number, owner, lease_until > clock_timestamp() FROM bind_lease
    WHERE carrier = %(carrier)s AND number <= %(max_binds)s ORDER BY number FOR UPDATE
"""

_SEEN = """
    WITH gone AS (
        DELETE FROM bind_seeker
        WHERE carrier = %(carrier)s AND seen_until < clock_timestamp() AND owner <> %(owner)s
    )
    INSERT INTO bind_seeker (carrier, owner, seen_until)
    VALUES (%(carrier)s, %(owner)s, clock_timestamp() + make_interval(secs => %(lease_s)s))
    ON CONFLICT (carrier, owner) DO UPDATE SET seen_until = excluded.seen_until
"""

_SEEKERS = "SELECT owner FROM bind_seeker WHERE carrier = %(carrier)s AND seen_until >= clock_timestamp()"

_HOLD = """
    UPDATE bind_lease SET owner = %(owner)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    WHERE carrier = %(carrier)s AND number = ANY(%(numbers)s)
"""

_RELEASE = """
    UPDATE bind_lease SET owner = NULL, lease_until = NULL
    WHERE carrier = %(carrier)s AND owner = %(owner)s AND (%(number)s::int IS NULL OR number = %(number)s)
"""

_GONE = "DELETE FROM bind_seeker WHERE carrier = %(carrier)s AND owner = %(owner)s"


class PostgresBindLeases(BindLeases):
    """The leases of one replica, which `owner` names; no two that run may share a name."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self._owner = owner

    @override
    async def renew(self, terms: LeaseTerms) -> LeaseShare:
        names = {
            "carrier": terms.carrier,
            "owner": self._owner,
            "max_binds": terms.max_binds,
            "lease_s": terms.lease_s,
        }
        async with transaction(self._pool) as connection:
            await connection.execute(_ENSURE, names)
            rows = await (await connection.execute(_LOCK, names)).fetchall()
            await connection.execute(_SEEN, names)
            seekers = [row[0] for row in await (await connection.execute(_SEEKERS, names)).fetchall()]
            # A lease of ours that ran out is still ours until another process takes it and writes its own name.
            mine = [number for number, owner, _ in rows if owner == self._owner]
            free = [number for number, owner, is_live in rows if owner != self._owner and not is_live]
            holding = Counter(owner for _, owner, is_live in rows if is_live or owner == self._owner)
            fair = fair_shares({owner: holding[owner] for owner in seekers}, terms.max_binds)[self._owner]
            held = mine + free[: max(0, fair - len(mine))]
            await connection.execute(_HOLD, {**names, "numbers": held})
        return LeaseShare(frozenset(held), fair)

    @override
    async def release(self, carrier: str, number: int) -> None:
        async with transaction(self._pool) as connection:
            await self._release(connection, carrier, number)

    @override
    async def leave(self, carrier: str) -> None:
        async with transaction(self._pool) as connection:
            await self._release(connection, carrier, None)
            await connection.execute(_GONE, {"carrier": carrier, "owner": self._owner})

    async def _release(self, connection: Connection, carrier: str, number: int | None) -> None:
        await connection.execute(_RELEASE, {"carrier": carrier, "owner": self._owner, "number": number})
