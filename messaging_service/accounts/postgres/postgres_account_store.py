"""Accounts and their terms in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from typing_extensions import override

from messaging_service.accounts.account_store import AccountStore
from messaging_service.accounts.domain.account import Account, AccountChanges, AccountMode, AccountStatus
from messaging_service.accounts.domain.account_limits import AccountLimits
from messaging_service.accounts.postgres.account_rows import ACCOUNT, get_account, lock_accounts
from messaging_service.shared.postgres.migrated import migrated
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Pool, single_statement, transaction

_OPEN = f"""
    INSERT INTO account (id, mode, credit_limit, daily_spend_limit, minute_limit, recipient_hour_limit,
        recipient_window_limit, otp_window_limit, destinations, pumping)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING {ACCOUNT.sql}
"""
_UPDATE = f"""
    UPDATE account SET mode = %s, status = %s, credit_limit = %s, overdrawn = %s, resend_unknown = %s,
        daily_spend_limit = %s, minute_limit = %s, recipient_hour_limit = %s,
        recipient_window_limit = %s, otp_window_limit = %s, destinations = %s, pumping = %s
    WHERE id = %s RETURNING {ACCOUNT.sql}
"""
_LIST = f"""
    SELECT {ACCOUNT.sql} FROM account
    WHERE id > %(after)s AND (%(mode)s::text IS NULL OR mode = %(mode)s)
        AND (%(status)s::text IS NULL OR status = %(status)s)
    ORDER BY id LIMIT %(limit)s
"""
_TERMS: Final = ("mode", "status", "credit_limit", "resend_unknown", "limits")
"""What the audit log says of an account."""


class PostgresAccountStore(AccountStore):
    """Implements AccountStore on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def open(
        self, account_id: str, mode: AccountMode, credit_limit: Decimal, limits: AccountLimits, *, actor: Actor
    ) -> tuple[Account, bool]:
        async with migrated(transaction(self._pool)) as connection:
            cursor = await connection.execute(_OPEN, (account_id, mode.value, credit_limit, *_limits(limits)))
            row = await cursor.fetchone()
            if row is not None:
                opened = ACCOUNT.read(row)
                after = facts_of(opened, *_TERMS)
                await audit_log.record(
                    connection, actor, AuditRecord("account.opened", opened.id, opened.id, after=after)
                )
                return opened, False
            account = await get_account(connection, account_id)
        assert account is not None, "accounts are never deleted"  # noqa: S101 - an invariant, not a check of input
        return account, True

    @override
    async def update(self, account_id: str, changes: AccountChanges, *, actor: Actor) -> Account | None:
        async with migrated(transaction(self._pool)) as connection:
            account = (await lock_accounts(connection, {account_id})).get(account_id)
            if account is None:
                return None
            changed = account.changed(changes)
            terms = (changed.mode.value, changed.status.value, changed.credit_limit, changed.overdrawn)
            values = (*terms, changed.resend_unknown, *_limits(changed.limits), account_id)
            row = await (await connection.execute(_UPDATE, values)).fetchone()
            before, after = facts_of(account, *_TERMS), facts_of(changed, *_TERMS)
            if before != after:
                what = AuditRecord("account.updated", account_id, account_id, before, after)
                await audit_log.record(connection, actor, what)
        assert row is not None, "the row was locked above"  # noqa: S101 - an invariant, not a check of input
        return ACCOUNT.read(row)

    @override
    async def account(self, account_id: str) -> Account | None:
        async with migrated(single_statement(self._pool)) as connection:
            return await get_account(connection, account_id)

    @override
    async def accounts(
        self, mode: AccountMode | None, status: AccountStatus | None, limit: int, after: str | None
    ) -> Sequence[Account]:
        parameters = {"mode": mode, "status": status, "limit": limit, "after": after or ""}
        async with migrated(single_statement(self._pool)) as connection:
            return [ACCOUNT.read(row) for row in await (await connection.execute(_LIST, parameters)).fetchall()]


def _limits(limits: AccountLimits) -> tuple[Decimal | int | list[str] | str | None, ...]:
    return (
        limits.daily_spend,
        limits.messages_per_minute,
        limits.messages_per_recipient_hour,
        limits.messages_per_recipient_window,
        limits.otps_per_recipient_window,
        None if limits.destinations is None else list(limits.destinations),
        None if limits.pumping is None else limits.pumping.value,
    )
