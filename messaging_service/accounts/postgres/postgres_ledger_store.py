"""The ledger of accounts in PostgreSQL. Charges are booked by the settlement of messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from typing_extensions import override

from messaging_service.accounts.account_store import no_such_account
from messaging_service.accounts.domain.account import Account
from messaging_service.accounts.domain.ledger import (
    EntryKind,
    KindTotal,
    LedgerEntry,
    LedgerPage,
    NewEntry,
    Statement,
    Verified,
)
from messaging_service.accounts.domain.references import known_payment, reference_key, same_booking
from messaging_service.accounts.domain.refunds import Charge, charges_to_refund
from messaging_service.accounts.ledger_store import Booked, LedgerStore, Refunded
from messaging_service.accounts.postgres.account_rows import get_account, lock_accounts
from messaging_service.accounts.postgres.ledger_rows import ENTRY
from messaging_service.accounts.postgres.verification import verify_books
from messaging_service.shared.domain.message import no_such_entry, outbox_id
from messaging_service.shared.domain.states import Billing
from messaging_service.shared.postgres.lagging_reads import LaggingReads
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.report_turns import ReportTurns
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

_BOOK = f"""
    WITH booked AS (
        INSERT INTO ledger_entry (account_id, kind, amount, message_id, attempt, reference, reason, booked_by)
        VALUES (%(account)s, %(kind)s, %(amount)s, %(message)s, %(attempt)s, %(reference)s, %(reason)s, %(by)s)
        RETURNING {ENTRY.sql}
    ), posted AS (
        UPDATE account SET posted = posted + %(amount)s, overdrawn = %(overdrawn)s WHERE id = %(account)s
    )
    SELECT {ENTRY.sql} FROM booked
"""
_BY_REFERENCE = f"SELECT {ENTRY.sql} FROM ledger_entry WHERE account_id = %s AND reference = %s"
# Whoever books a payment with the same key waits until the other one is booked, in whatever account.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 20))"
_PAYMENTS = f"""
    SELECT {ENTRY.sql} FROM ledger_entry
    WHERE id = ANY(ARRAY(SELECT entry_id FROM payment_reference WHERE key = %s)) ORDER BY id
"""
_REMEMBER = "INSERT INTO payment_reference (entry_id, key, is_shared) VALUES (%s, %s, %s)"
_MESSAGE = "SELECT account_id, billing, retry_count + 1 FROM message WHERE id = %s FOR NO KEY UPDATE"
_CHARGES = """
    SELECT attempt, -amount FROM ledger_entry
    WHERE message_id = %(message)s AND kind = 'charge' AND coalesce(attempt = %(attempt)s::int, true) ORDER BY attempt
"""
_REFUNDS = f"""
    SELECT {ENTRY.sql} FROM ledger_entry
    WHERE message_id = %(message)s AND kind = 'refund' AND coalesce(attempt = %(attempt)s::int, true) ORDER BY attempt
"""
_REFUNDED = "UPDATE message SET billing = 'refunded' WHERE id = %s"
_ENTRIES = f"""
    SELECT {ENTRY.sql} FROM ledger_entry
    WHERE account_id = %(account)s AND created_at < %(end)s AND id <= %(through)s
        AND (created_at, id) > (%(after_time)s, %(after_id)s)
    ORDER BY created_at, id LIMIT %(limit)s
"""
# Every booking locks its account before the entry gets its number, and keeps the lock until it commits. So the entries
# of an account are numbered in the order of their commits: once one is visible, every entry with a lower number is, and
# reads that stop at the same number agree, whatever is booked between them. Only the latest thousand by time are looked
# at, because the highest number of a long period is found by reading all of it. An entry that waited for its account
# while a thousand others were booked may be missing from this list, and is in the next.
_THROUGH = """
    SELECT coalesce(max(id), 0) FROM (
        SELECT id FROM ledger_entry WHERE account_id = %(account)s AND created_at < %(end)s
        ORDER BY created_at DESC, id DESC LIMIT 1000
    ) latest
"""
# One snapshot for both sums: a booking between them would be in neither or in both.
_STATEMENT = """
    SELECT kind, created_at < %(start)s, count(*), sum(amount), max(id) FROM ledger_entry
    WHERE account_id = %(account)s AND created_at < %(end)s AND coalesce(id <= %(through)s::bigint, true) GROUP BY 1, 2
"""


# The entries of an account become visible in the order of their numbers, so one shows all those before it.
_SHOWS = """
    SELECT EXISTS (SELECT FROM account WHERE id = %(account)s) AND coalesce(
        (SELECT max(id) FROM ledger_entry WHERE account_id = %(account)s) >= %(through)s::bigint,
        coalesce(%(through)s::bigint, 0) = 0
    )
"""


class PostgresLedgerStore(LedgerStore):
    """Implements LedgerStore."""

    def __init__(self, pool: Pool, room: ReportTurns | None = None, reads: LaggingReads | None = None) -> None:
        """`room`: where the books are verified, which may take minutes; one over the same pool unless given.

        `reads`: where statements are read, which may be a moment old; from the same pool unless given.
        """
        self._pool = pool
        self._room = room or ReportTurns(pool)
        self._reads = reads or LaggingReads(pool)

    @override
    async def book(self, entry: NewEntry, actor: Actor) -> Booked:
        async with migrated(transaction(self._pool)) as connection:
            # Whoever books on this account waits here, so a reference is looked for and written without a gap.
            account = await _locked(connection, entry.account_id)
            known: list[LedgerEntry] = []
            if entry.reference is not None:
                row = await (await connection.execute(_BY_REFERENCE, (entry.account_id, entry.reference))).fetchone()
                if row is not None:
                    return Booked(same_booking(ENTRY.read(row), entry), replayed=True, account=account)
            if entry.kind is EntryKind.TOP_UP and entry.reference is not None:
                known = await _payments(connection, entry.reference)
                paid = known_payment(entry, known, is_overridden=entry.reason is not None)
                if paid is not None:
                    return Booked(paid, replayed=True, account=account)
            changed = account.booked(entry.kind, entry.amount)
            row = await (await connection.execute(_BOOK, _booking(entry, changed))).fetchone()
            assert row is not None, "the statement returns its row"  # noqa: S101 - an invariant, not a check of input
            if entry.kind is EntryKind.TOP_UP and entry.reference is not None:
                await connection.execute(_REMEMBER, (row[0], reference_key(entry.reference), bool(known)))
            booked = ENTRY.read(row)
            await audit_log.record(connection, actor, _audited(booked, account, changed))
        return Booked(booked, replayed=False, account=changed)

    @override
    async def refund(
        self, message_id: UUID, reason: str, booked_by: str, attempt: int | None = None, *, actor: Actor
    ) -> Refunded:
        asked = {"message": message_id, "attempt": attempt}
        async with migrated(transaction(self._pool)) as connection:
            # Receipts and resends lock the message, too: its attempt and its billing stay what they are.
            message = await (await connection.execute(_MESSAGE, (message_id,))).fetchone()
            if message is None:
                raise no_such_entry(outbox_id(message_id))
            account_id, billing, present = message
            account = await _locked(connection, account_id)
            charges = [Charge._make(row) for row in await (await connection.execute(_CHARGES, asked)).fetchall()]
            known = [ENTRY.read(row) for row in await (await connection.execute(_REFUNDS, asked)).fetchall()]
            paid_back = {entry.attempt for entry in known}
            new = []
            for of, amount in charges_to_refund(message_id, Billing(billing), charges, paid_back, attempt):
                entry = NewEntry(account_id, EntryKind.REFUND, amount, None, reason, booked_by)
                before, account = account, account.booked(EntryKind.REFUND, amount)
                booking = _booking(entry, account) | {"message": message_id, "attempt": of}
                row = await (await connection.execute(_BOOK, booking)).fetchone()
                assert row is not None, "the statement returns its row"  # noqa: S101 - an invariant, not a check of input
                new.append(ENTRY.read(row))
                await audit_log.record(connection, actor, _audited(new[-1], before, account))
                if of == present:
                    await connection.execute(_REFUNDED, (message_id,))
        return Refunded(new or known, replayed=not new)

    @override
    async def entries(
        self,
        account_id: str,
        start: datetime,
        end: datetime,
        limit: int,
        after: tuple[datetime, int] | None,
        *,
        through: int | None = None,
    ) -> LedgerPage:
        # No entry has the number 0, so what is behind it at the first instant is everything from then on.
        after_time, after_id = after or (start, 0)
        parameters = {
            "account": account_id,
            "end": end,
            "after_time": after_time,
            "after_id": after_id,
            "limit": limit,
        }

        async def read(connection: Connection) -> LedgerPage:
            await _existing(connection, account_id)
            last = through
            if last is None:
                row = await (await connection.execute(_THROUGH, parameters)).fetchone()
                last = 0 if row is None else row[0]
            cursor = await connection.execute(_ENTRIES, parameters | {"through": last})
            return LedgerPage([ENTRY.read(row) for row in await cursor.fetchall()], last)

        return await self._reads.read(read, shows=_shows(account_id, through))

    @override
    async def statement(
        self, account_id: str, start: datetime, end: datetime, *, through: int | None = None
    ) -> Statement:
        parameters = {"account": account_id, "start": start, "end": end, "through": through}

        async def read(connection: Connection) -> Statement:
            await _existing(connection, account_id)
            cursor = await connection.execute(_STATEMENT, parameters)
            opening, totals, newest = Decimal(0), dict[EntryKind, KindTotal](), 0
            for kind, is_before, number, amount, highest in await cursor.fetchall():
                newest = max(newest, highest)
                if is_before:
                    opening += amount
                else:
                    totals[EntryKind(kind)] = KindTotal(number, amount)
            return Statement(opening, totals, newest if through is None else through)

        return await self._reads.read(read, shows=_shows(account_id, through))

    @override
    async def verify(self, account_id: str | None, limit: int) -> Verified:
        if account_id is not None:
            async with migrated(single_statement(self._pool)) as connection:
                await _existing(connection, account_id)
        async with self._room.whole() as connection:
            return await verify_books(connection, account_id, limit)


def _shows(account_id: str, through: int | None) -> Callable[[Connection], Awaitable[bool]]:
    """Whether a server has the account, and its entries up to a number; None for whatever it has.

    An account that a server does not have yet may be on the primary.
    """

    async def shows(connection: Connection) -> bool:
        parameters = {"account": account_id, "through": through}
        row = await (await connection.execute(_SHOWS, parameters)).fetchone()
        return row is not None and bool(row[0])

    return shows


def _audited(entry: LedgerEntry, before: Account, after: Account) -> AuditRecord:
    """What the audit log says of a booking by hand; the accounts: before and after it."""
    said = facts_of(entry, "kind", "amount", "message_id", "attempt", "reference", "reason", "booked_by")
    return AuditRecord(
        f"money.{entry.kind.value}",
        str(entry.id),
        entry.account_id,
        facts_of(before, "posted"),
        {**said, **facts_of(after, "posted")},
    )


def _booking(entry: NewEntry, account: Account) -> dict[str, Any]:
    """The parameters of an entry; `account`: as it stands after it."""
    return {
        "account": entry.account_id,
        "kind": entry.kind.value,
        "amount": entry.amount,
        "overdrawn": account.overdrawn,
        "message": None,
        "attempt": None,
        "reference": entry.reference,
        "reason": entry.reason,
        "by": entry.booked_by,
    }


async def _existing(connection: Connection, account_id: str) -> Account:
    account = await get_account(connection, account_id)
    if account is None:
        raise no_such_account(account_id)
    return account


async def _locked(connection: Connection, account_id: str) -> Account:
    accounts = await lock_accounts(connection, {account_id})
    if account_id not in accounts:
        raise no_such_account(account_id)
    return accounts[account_id]


async def _payments(connection: Connection, reference: str) -> list[LedgerEntry]:
    """The payments on record whose references may stand for the same, the first one first."""
    key = reference_key(reference)
    await connection.execute(_ONE_AT_A_TIME, (key,))
    return [ENTRY.read(row) for row in await (await connection.execute(_PAYMENTS, (key,))).fetchall()]
