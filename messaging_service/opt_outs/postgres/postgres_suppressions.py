"""The list of those who want no messages, in PostgreSQL: every method is one transaction but stop_*."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from typing_extensions import override

from messaging_service.opt_outs.domain.suppression import (
    NOBODY_EXEMPT,
    Ending,
    Exemption,
    Scope,
    Source,
    Suppression,
    sender_key,
)
from messaging_service.opt_outs.postgres import opt_out_rows
from messaging_service.opt_outs.suppression_store import Added, NewSuppression, Stopped, SuppressionFilter, Suppressions
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.shared.phone_numbers import masked
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import RecordColumns
from messaging_service.shared.postgres.tenancy import of_callers, tenants
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

PASS_LEASE_S = 5
"""How long a new entry's first pass over the queue is left to the process that made the entry."""

SUPPRESSION = RecordColumns(
    Suppression,
    parts={
        "scope": RecordColumns(Scope),
        "ending": RecordColumns(
            Ending, columns={"at": "ended_at", "source": "ended_source", "by": "ended_by", "reason": "ended_reason"}
        ),
    },
)

# A conflict shows nothing, so the entry that holds is read beside it; one that was made in the same moment, which
# this snapshot does not show, by the second try.
_ADD = f"""
    WITH added AS (
        INSERT INTO suppression (id, phone, sender_id, sender_key, account_id, source, reason, created_by, inbound_id,
            pass_due_at)
        VALUES (%(id)s, %(phone)s, %(sender_id)s, %(sender_key)s, %(account_id)s, %(source)s, %(reason)s,
            %(created_by)s, %(inbound_id)s, now() + make_interval(secs => %(pass_lease_s)s))
        ON CONFLICT (phone, sender_key, account_id, source) WHERE ended_at IS NULL DO NOTHING
        RETURNING {SUPPRESSION.sql}
    )
    SELECT * FROM added
    UNION ALL
    SELECT {SUPPRESSION.sql} FROM suppression
    WHERE phone = %(phone)s AND sender_key IS NOT DISTINCT FROM %(sender_key)s
        AND account_id IS NOT DISTINCT FROM %(account_id)s AND source = %(source)s AND ended_at IS NULL
"""

_END = f"""
    UPDATE suppression SET ended_at = now(), ended_source = %(source)s, ended_by = %(by)s, ended_reason = %(reason)s,
        pass_due_at = NULL
    WHERE id = %(id)s AND ended_at IS NULL AND {of_callers("account_id")}
    RETURNING {SUPPRESSION.sql}
"""
_GET = f"SELECT {SUPPRESSION.sql} FROM suppression WHERE id = %(id)s AND {of_callers('account_id')}"

_COVERING = f"""
    SELECT {SUPPRESSION.sql} FROM suppression
    WHERE phone = ANY(%(phones)s) AND ended_at IS NULL AND (sender_key IS NULL OR sender_key = %(sender_key)s)
        AND (account_id IS NULL OR account_id = %(account_id)s)
    ORDER BY created_at, id
"""


async def covering(connection: Connection, phones: Sequence[str], sender_id: str, account_id: str) -> list[Suppression]:
    """The entries that stop such a message now, oldest first; empty when none does. `phones`: the phone's forms."""
    parameters = {"phones": list(phones), "sender_key": sender_key(sender_id), "account_id": account_id}
    return [SUPPRESSION.read(row) for row in await (await connection.execute(_COVERING, parameters)).fetchall()]


def _audited(action: str, entry: Suppression) -> AuditRecord:
    """What the audit log says of an entry."""
    said = facts_of(entry, "source", "reason", "created_by", "ending")
    scope = {"phone": masked(entry.scope.phone), "sender_id": entry.scope.sender_id}
    return AuditRecord(action, f"suppression_{entry.id.hex}", entry.scope.account_id, after={**said, **scope})


async def add(
    connection: Connection, new: NewSuppression, *, inbound_id: int | None = None, pass_lease_s: int = PASS_LEASE_S
) -> Added:
    """Makes an entry unless one of the same scope and source holds.

    `inbound_id`: the message that asked for it. `pass_lease_s`: how long only the caller looks through the queue.
    """
    parameters = {
        "id": new.id,
        "phone": new.scope.phone,
        "sender_id": new.scope.sender_id,
        "sender_key": None if new.scope.sender_id is None else sender_key(new.scope.sender_id),
        "account_id": new.scope.account_id,
        "source": new.source.value,
        "reason": new.reason,
        "created_by": new.created_by,
        "inbound_id": inbound_id,
        "pass_lease_s": pass_lease_s,
    }
    row = None
    while row is None:
        row = await (await connection.execute(_ADD, parameters)).fetchone()
    suppression = SUPPRESSION.read(row)
    return Added(suppression, created=suppression.id == new.id)


class PostgresSuppressions(Suppressions):
    """Implements the port Suppressions."""

    def __init__(
        self, pool: Pool, actor: str, exemption: Exemption = NOBODY_EXEMPT, contents: Contents = PLAIN
    ) -> None:
        """`actor` names this process in the events of messages that it cancels. `contents` knows erased phones."""
        self._contents = contents
        self._pool = pool
        self._actor = actor
        self._exemption = exemption

    @override
    async def add(self, new: NewSuppression, *, actor: Actor) -> Added:
        async with migrated(transaction(self._pool)) as connection:
            added = await add(connection, new)
            if added.created:
                await audit_log.record(connection, actor, _audited("suppression.added", added.suppression))
            return added

    @override
    async def stop_queued(self, ids: Sequence[UUID], wait_s: float) -> Stopped:
        async with migrated(single_statement(self._pool)) as connection:
            quiet = await opt_out_rows.overlapping_ended(connection, wait_s)
        messages = 0
        while True:
            async with migrated(transaction(self._pool)) as connection:
                cancelled = await opt_out_rows.cancel_queued(connection, ids, self._exemption, self._actor)
            messages += cancelled
            if cancelled < opt_out_rows.CANCELLED_AT_ONCE:
                break
        async with migrated(transaction(self._pool)) as connection:
            complete = await opt_out_rows.note_pass(connection, ids, self._exemption, quiet=quiet)
        return Stopped(messages, complete)

    @override
    async def stop_pending(self, limit: int, wait_s: float) -> Stopped:
        async with migrated(single_statement(self._pool)) as connection:
            ids = await opt_out_rows.take_pending(connection, limit, PASS_LEASE_S)
        if not ids:
            return Stopped(0, complete=True)
        stopped = await self.stop_queued(ids, wait_s)
        return Stopped(stopped.messages, complete=stopped.complete and len(ids) < limit)

    @override
    async def end(
        self, suppression_id: UUID, accounts: Accounts, source: Source, by: str, reason: str, *, actor: Actor
    ) -> Suppression | None:
        parameters = {"id": suppression_id, "source": source.value, "by": by, "reason": reason, **tenants(accounts)}
        async with migrated(transaction(self._pool)) as connection:
            row = await (await connection.execute(_END, parameters)).fetchone()
            if row is not None:
                ended = SUPPRESSION.read(row)
                await audit_log.record(connection, actor, _audited("suppression.ended", ended))
                return ended
            row = await (await connection.execute(_GET, parameters)).fetchone()
        return None if row is None else SUPPRESSION.read(row)

    @override
    async def covering(self, phone: str, sender_id: str, account_id: str) -> Sequence[Suppression]:
        phones = (await self._contents.sealer([])).phones(phone)
        async with migrated(single_statement(self._pool)) as connection:
            return await covering(connection, phones, sender_id, account_id)

    @override
    async def list(
        self, wanted: SuppressionFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Suppression]:
        # Only the conditions asked for are in the statement, so each has its plan.
        conditions = ["true"] if wanted.with_ended else ["ended_at IS NULL"]
        parameters: dict[str, object] = {"limit": limit}
        if wanted.phone is not None:
            conditions.append("phone = ANY(%(phones)s)")
            parameters["phones"] = (await self._contents.sealer([])).phones(wanted.phone)
        asked = {
            "sender_key": None if wanted.sender_id is None else sender_key(wanted.sender_id),
            "account_id": wanted.account_id,
            "source": None if wanted.source is None else wanted.source.value,
        }
        for column, value in asked.items():
            if value is not None:
                conditions.append(f"{column} = %({column})s")
                parameters[column] = value
        if after is not None:
            conditions.append("(created_at, id) < (%(after_time)s, %(after_id)s)")
            parameters["after_time"], parameters["after_id"] = after
        statement = (
            f"SELECT {SUPPRESSION.sql} FROM suppression WHERE {' AND '.join(conditions)} "
            "ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
        )
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(statement.encode(), parameters)
            return [SUPPRESSION.read(row) for row in await cursor.fetchall()]
