"""Which keys changed after a moment, by the transactions that changed them.

A moment is a snapshot of PostgreSQL: which transactions it shows. A row names the transaction that changed it last, so
what changed since is what an earlier snapshot does not show and the present one does, in whatever order they committed.
"""

from __future__ import annotations

from typing import Final

from typing_extensions import override

from messaging_service.access.key_store import ChangedKeys, KeyChanges
from messaging_service.shared.postgres.migrated import migrated
from service_kit.postgres.database import Pool, single_statement

_PRESENT: Final = "SELECT pg_current_snapshot()::text, ARRAY[]::text[]"
# The last condition leaves out the transactions of another cluster, out of whose dump this database was restored.
_SINCE: Final = """
    SELECT pg_current_snapshot()::text, ARRAY(
        SELECT id FROM api_key
        WHERE changed_in >= pg_snapshot_xmin(%(moment)s::pg_snapshot)
            AND NOT pg_visible_in_snapshot(changed_in, %(moment)s::pg_snapshot)
            AND pg_visible_in_snapshot(changed_in, pg_current_snapshot())
        ORDER BY changed_in, id
    )
"""


class PostgresKeyChanges(KeyChanges):
    """Implements the port KeyChanges."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def since(self, moment: str | None) -> ChangedKeys:
        statement = _PRESENT if moment is None else _SINCE
        async with migrated(single_statement(self._pool)) as connection:
            row = await (await connection.execute(statement, {"moment": moment})).fetchone()
        assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - an invariant
        return ChangedKeys(*row)
