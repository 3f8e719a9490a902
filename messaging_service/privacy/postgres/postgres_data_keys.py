"""Data keys in PostgreSQL: every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from typing_extensions import override

from messaging_service.privacy.data_key_store import DataKeyStore, NewKey, StoredKey
from messaging_service.privacy.domain.key_scope import KeyScope
from messaging_service.privacy.keys_needed import KeysInUse
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord
from service_kit.postgres.audit_log import record
from service_kit.postgres.database import Pool, single_statement, transaction

_STORED: Final = RecordColumns(StoredKey, table="k", parts={"scope": RecordColumns(KeyScope)})
_OF_SCOPES: Final = f"""
    SELECT {_STORED.sql} FROM unnest(%(accounts)s::text[], %(months)s::date[]) AS asked (account_id, month)
    JOIN data_key k ON k.account_id = asked.account_id AND k.month IS NOT DISTINCT FROM asked.month
"""
_OF_IDS: Final = f"SELECT {_STORED.sql} FROM data_key k WHERE k.id = ANY(%(ids)s::bigint[])"
_ANY: Final = "SELECT EXISTS (SELECT 1 FROM data_key)"
_ADD: Final = """
    INSERT INTO data_key (account_id, month, wrapped_by, wrapped)
    SELECT * FROM unnest(%(accounts)s::text[], %(months)s::date[], %(names)s::text[], %(keys)s::bytea[])
    ON CONFLICT (account_id, month) DO NOTHING
"""
_OTHERS: Final = f"""
    SELECT {_STORED.sql} FROM data_key k WHERE k.wrapped IS NOT NULL AND k.wrapped_by <> %(name)s
    ORDER BY k.id LIMIT %(limit)s
"""
# A key that was destroyed, or wrapped again by somebody else, in the meantime stays as it is.
_REWRAP: Final = """
    UPDATE data_key k SET wrapped_by = new.name, wrapped = new.key
    FROM unnest(%(ids)s::bigint[], %(old)s::bytea[], %(names)s::text[], %(keys)s::bytea[]) AS new (id, old, name, key)
    WHERE k.id = new.id AND k.wrapped = new.old
"""


class PostgresDataKeys(DataKeyStore, KeysInUse):
    """Implements DataKeyStore and KeysInUse."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def of_scopes(self, scopes: Collection[KeyScope]) -> Sequence[StoredKey]:
        asked = {"accounts": [scope.account_id for scope in scopes], "months": [scope.month for scope in scopes]}
        return await self._found(_OF_SCOPES, asked)

    @override
    async def of_ids(self, ids: Collection[int]) -> Sequence[StoredKey]:
        return await self._found(_OF_IDS, {"ids": list(ids)})

    @override
    async def not_wrapped_by(self, name: str, limit: int) -> Sequence[StoredKey]:
        return await self._found(_OTHERS, {"name": name, "limit": limit})

    async def _found(self, statement: str, parameters: dict[str, Any]) -> Sequence[StoredKey]:
        async with migrated(single_statement(self._pool)) as connection:
            rows = await (await connection.execute(statement.encode(), parameters)).fetchall()
        return [_STORED.read(row) for row in rows]

    @override
    async def any(self) -> bool:
        async with migrated(single_statement(self._pool)) as connection:
            return (await (await connection.execute(_ANY)).fetchone()) == (True,)

    @override
    async def add(self, keys: Sequence[NewKey]) -> None:
        parameters = {
            "accounts": [key.scope.account_id for key in keys],
            "months": [key.scope.month for key in keys],
            "names": [key.wrapped_by for key in keys],
            "keys": [key.wrapped for key in keys],
        }
        async with migrated(single_statement(self._pool)) as connection:
            await connection.execute(_ADD, parameters)

    @override
    async def rewrap(self, old: Sequence[StoredKey], new: Sequence[NewKey], actor: Actor) -> int:
        parameters = {
            "ids": [key.id for key in old],
            "old": [key.wrapped for key in old],
            "names": [key.wrapped_by for key in new],
            "keys": [key.wrapped for key in new],
        }
        async with migrated(transaction(self._pool)) as connection:
            done = (await connection.execute(_REWRAP, parameters)).rowcount
            what = {"data_keys": done}
            await record(connection, actor, AuditRecord("text_keys.rewrapped", new[0].wrapped_by, after=what))
        return done
