"""API keys in PostgreSQL: every method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from typing_extensions import override

from messaging_service.access.domain.key_record import KeyRecord, KeyStatus
from messaging_service.access.domain.key_terms import KeyTerms
from messaging_service.access.key_store import KeptKey, KeyFilter, KeyStore, Rotation
from messaging_service.access.resolve_keys import USE_GRAIN
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import RecordColumns
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, Facts, fact, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Pool, single_statement, transaction

TERMS: Final = RecordColumns(
    KeyTerms, read={"accounts": lambda ids: None if ids is None else frozenset(ids), "scopes": frozenset}
)
KEY: Final = RecordColumns(KeyRecord, parts={"terms": TERMS})


class _Kept(NamedTuple):
    sha256: bytes


_KEPT: Final = KEY.plus(_Kept, sha256="sha256")
_COLUMNS: Final = """
    id, sha256, name, mode, accounts, app_id, scopes, networks, expires_at, messages_per_minute, daily_spend,
    created_at, created_by
"""
_VALUES: Final = """
    %(id)s, %(sha256)s, %(name)s, %(mode)s, %(accounts)s::text[], %(app_id)s, %(scopes)s::text[], %(networks)s::text[],
    %(expires_at)s::timestamptz, %(messages_per_minute)s::int, %(daily_spend)s::numeric, %(created_at)s::timestamptz,
    %(created_by)s
"""
_ADD: Final = f"INSERT INTO api_key ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (id) DO NOTHING"
_FIND: Final = f"SELECT {_KEPT.sql} FROM api_key WHERE id = %(id)s"
# Two that rotate a key at once: the second one waits, and then finds it replaced.
_REPLACE: Final = f"""
    WITH old AS (
        SELECT coalesce(counted_as, id) AS counted_as FROM api_key
        WHERE id = %(old_id)s AND revoked_at IS NULL AND replaced_by IS NULL
            AND (expires_at IS NULL OR expires_at > %(created_at)s::timestamptz)
        FOR UPDATE
    ), new AS (
        INSERT INTO api_key ({_COLUMNS}, counted_as) SELECT {_VALUES}, old.counted_as FROM old
        ON CONFLICT (id) DO NOTHING
        RETURNING {KEY.sql}
    ), replaced AS (
        UPDATE api_key SET replaced_by = %(id)s, expires_at = least(expires_at, %(ends_at)s),
            changed_in = pg_current_xact_id()
        WHERE id = %(old_id)s AND EXISTS (SELECT 1 FROM new)
        RETURNING {KEY.sql}
    )
    SELECT * FROM replaced UNION ALL SELECT * FROM new
"""
_REVOKE: Final = f"""
    UPDATE api_key SET revoked_at = %(at)s, revoked_by = %(by)s, changed_in = pg_current_xact_id()
    WHERE id = %(id)s AND revoked_at IS NULL
    RETURNING {KEY.sql}
"""
# A row that is locked is being ended, or its use is noted by another process: the next use comes.
_NOTE_USES: Final = """
    WITH used AS (
        SELECT id, at FROM unnest(%(ids)s::text[], %(instants)s::timestamptz[]) AS used (id, at)
    ), due AS (
        SELECT k.id, used.at FROM api_key k JOIN used USING (id)
        WHERE k.last_used_at IS NULL OR k.last_used_at <= used.at - %(grain)s::interval
        FOR NO KEY UPDATE OF k SKIP LOCKED
    )
    UPDATE api_key k SET last_used_at = due.at FROM due WHERE k.id = due.id
"""
_STANDS: Final[Mapping[KeyStatus, str]] = {
    KeyStatus.ACTIVE: "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)",
    KeyStatus.EXPIRED: "revoked_at IS NULL AND expires_at <= %(now)s",
    KeyStatus.REVOKED: "revoked_at IS NOT NULL",
}


class PostgresKeys(KeyStore):
    """Implements the port KeyStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def add(self, new: KeptKey, *, actor: Actor) -> bool:
        async with migrated(transaction(self._pool)) as connection:
            is_new = (await connection.execute(_ADD, _parameters(new))).rowcount == 1
            if is_new:
                await audit_log.record(connection, actor, _created(new.record))
            return is_new

    @override
    async def find(self, key_id: str) -> KeptKey | None:
        async with migrated(single_statement(self._pool)) as connection:
            row = await (await connection.execute(_FIND, {"id": key_id})).fetchone()
        if row is None:
            return None
        record, kept = _KEPT.read(row)
        return KeptKey(record, kept.sha256)

    @override
    async def list(
        self, wanted: KeyFilter, now: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[KeyRecord]:
        # Only the conditions asked for are in the statement, so each has its plan.
        conditions = ["true"]
        parameters: dict[str, Any] = {"limit": limit, "now": now}
        if wanted.account_id is not None:
            conditions.append("accounts @> ARRAY[%(account_id)s]")
            parameters["account_id"] = wanted.account_id
        if wanted.status is not None:
            conditions.append(_STANDS[wanted.status])
        if after is not None:
            conditions.append("(created_at, id) < (%(after_time)s, %(after_id)s)")
            parameters["after_time"], parameters["after_id"] = after
        statement = (
            f"SELECT {KEY.sql} FROM api_key WHERE {' AND '.join(conditions)} "
            "ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
        )
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(statement.encode(), parameters)
            return [KEY.read(row) for row in await cursor.fetchall()]

    @override
    async def replace(self, key_id: str, new: KeptKey, ends_at: datetime, *, actor: Actor) -> Rotation | None:
        parameters = _parameters(new) | {"old_id": key_id, "ends_at": ends_at}
        async with migrated(transaction(self._pool)) as connection:
            rows = await (await connection.execute(_REPLACE, parameters)).fetchall()
            if not rows:
                return None
            rotation = Rotation(*map(KEY.read, rows))
            ended = rotation.replaced
            after = {"expires_at": fact(ended.terms.expires_at), "replaced_by": ended.replaced_by}
            await audit_log.record(connection, actor, _audited("key.rotated", ended, after))
            await audit_log.record(connection, actor, _created(rotation.successor))
            return rotation

    @override
    async def revoke(self, key_id: str, at: datetime, *, actor: Actor) -> KeyRecord | None:
        parameters = {"id": key_id, "by": actor.principal, "at": at}
        async with migrated(transaction(self._pool)) as connection:
            row = await (await connection.execute(_REVOKE, parameters)).fetchone()
            if row is not None:
                revoked = KEY.read(row)
                after = facts_of(revoked, "revoked_at", "revoked_by")
                await audit_log.record(connection, actor, _audited("key.revoked", revoked, after))
                return revoked
        kept = await self.find(key_id)
        return None if kept is None else kept.record

    @override
    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        parameters: dict[str, list[Any] | timedelta] = {
            "ids": list(uses.keys()),
            "instants": list(uses.values()),
            "grain": USE_GRAIN,
        }
        async with migrated(single_statement(self._pool)) as connection:
            await connection.execute(_NOTE_USES, parameters)


def _created(key: KeyRecord) -> AuditRecord:
    return _audited("key.created", key, facts_of(key, "terms", "created_by"))


def _audited(action: str, key: KeyRecord, after: Facts) -> AuditRecord:
    """What the audit log says of a key, which is an account's when it acts for that one alone."""
    accounts = key.terms.accounts
    account = next(iter(accounts)) if accounts is not None and len(accounts) == 1 else None
    return AuditRecord(action, key.id, account, after=after)


def _parameters(new: KeptKey) -> dict[str, Any]:
    record, terms = new.record, new.record.terms
    return {
        "id": record.id,
        "sha256": new.digest,
        "name": terms.name,
        "mode": terms.mode.value,
        "accounts": None if terms.accounts is None else sorted(terms.accounts),
        "app_id": terms.app_id,
        "scopes": sorted(terms.scopes),
        "networks": list(terms.networks),
        "expires_at": terms.expires_at,
        "messages_per_minute": terms.messages_per_minute,
        "daily_spend": terms.daily_spend,
        "created_at": record.created_at,
        "created_by": record.created_by,
    }
