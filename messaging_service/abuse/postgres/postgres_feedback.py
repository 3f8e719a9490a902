"""Feedback and conversion in PostgreSQL, and the end of what is counted for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from typing_extensions import override

from messaging_service.abuse.domain.conversion import (
    FEEDBACK_WITHIN,
    BlockConversion,
    FeedbackOutcome,
    feedback_too_late,
)
from messaging_service.abuse.feedback_store import Conversion, FeedbackStore
from messaging_service.abuse.postgres.block_hours import BlockHours
from messaging_service.shared.domain.message import is_shown, no_such_entry, outbox_id
from messaging_service.shared.kept_archives import Archive
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import columns_of
from service_kit.access.principal import AccessMode, Accounts
from service_kit.postgres.database import Pool, single_statement, transaction


class _Told(NamedTuple):
    """The message that something is said of."""

    account_id: str
    block: str
    hour: datetime
    is_late: bool
    mode: str


_MESSAGE: Final = """
    SELECT account_id, left(recipient, -3), date_trunc('hour', created_at),
        created_at < now() - make_interval(days => %(days)s), mode
    FROM message WHERE id = %(id)s AND (%(accounts)s::text[] IS NULL OR account_id = ANY(%(accounts)s))
"""
_NOTE: Final = """
    INSERT INTO message_feedback AS f (message_id, outcome) VALUES (%(id)s, %(outcome)s)
    ON CONFLICT (message_id) DO UPDATE SET outcome = excluded.outcome, given_at = now()
        WHERE f.outcome <> excluded.outcome
    RETURNING xmax = 0
"""
_COUNT: Final = """
    INSERT INTO number_block_hour AS h (account_id, block, hour, verified, not_verified)
    VALUES (%(account_id)s, %(block)s, %(hour)s, greatest(%(verified)s, 0), greatest(%(not_verified)s, 0))
    ON CONFLICT (account_id, block, hour) DO UPDATE SET
        verified = greatest(h.verified + %(verified)s, 0), not_verified = greatest(h.not_verified + %(not_verified)s, 0)
"""


class _Counts(NamedTuple):
    """What the hours of a block add up to."""

    block: str
    sent: int
    refused: int
    verified: int
    not_verified: int
    suspected_at: datetime | None
    since: datetime
    all_sent: int
    all_refused: int
    all_verified: int
    all_not_verified: int


_SINCE: Final = "date_trunc('hour', now()) - make_interval(hours => %(hours)s - 1)"
_CONVERSION: Final = f"""
    WITH hours AS (
        SELECT block, sum(sent)::bigint AS sent, sum(refused)::bigint AS refused,
            sum(verified)::bigint AS verified, sum(not_verified)::bigint AS not_verified
        FROM number_block_hour WHERE account_id = %(account_id)s AND hour >= {_SINCE} GROUP BY block
    ), shown AS (
        SELECT hours.*, b.suspected_at, {_SINCE} AS since,
            sum(sent) OVER ()::bigint AS all_sent, sum(refused) OVER ()::bigint AS all_refused,
            sum(verified) OVER ()::bigint AS all_verified, sum(not_verified) OVER ()::bigint AS all_not_verified
        FROM hours LEFT JOIN number_block b
            ON b.account_id = %(account_id)s AND b.block = hours.block
                AND b.suspected_at > now() - interval '10 minutes'
    )
    SELECT {columns_of(_Counts)} FROM shown
    ORDER BY suspected_at IS NULL, sent + refused DESC, block LIMIT %(limit)s
"""
_NO_HOURS: Final = f"SELECT {_SINCE}"


class PostgresFeedback(FeedbackStore):
    """Implements FeedbackStore on a pool."""

    def __init__(self, pool: Pool, hours: BlockHours) -> None:
        """`hours`: what this process counts; written before a report, which lacks the last seconds of others."""
        self._pool = pool
        self._hours = hours

    @override
    async def record(self, message_id: UUID, outcome: FeedbackOutcome, accounts: Accounts, mode: AccessMode) -> bool:
        allowed = None if accounts is None else sorted(accounts)
        asked = {"id": message_id, "days": FEEDBACK_WITHIN.days, "accounts": allowed}
        async with migrated(transaction(self._pool)) as connection:
            row = await (await connection.execute(_MESSAGE, asked)).fetchone()
            if row is None or not is_shown(AccessMode((told := _Told._make(row)).mode), mode):
                raise no_such_entry(outbox_id(message_id))
            if told.is_late:
                raise feedback_too_late(FEEDBACK_WITHIN.days)
            noted = await connection.execute(_NOTE, {"id": message_id, "outcome": outcome.value})
            new = await noted.fetchone()
            if new is None:
                return True
            if told.mode == AccessMode.TEST:
                return False
            is_verified = outcome is FeedbackOutcome.VERIFIED
            # What was said before, and is not true any more, is taken back.
            other = 0 if new[0] else -1
            await connection.execute(
                _COUNT,
                {
                    "account_id": told.account_id,
                    "block": told.block,
                    "hour": told.hour,
                    "verified": 1 if is_verified else other,
                    "not_verified": other if is_verified else 1,
                },
            )
        return False

    @override
    async def conversion(self, account_id: str, hours: int, limit: int) -> Conversion:
        await self._hours.write()
        asked = {"account_id": account_id, "hours": hours, "limit": limit}
        async with migrated(single_statement(self._pool)) as connection:
            found = [_Counts._make(row) for row in await (await connection.execute(_CONVERSION, asked)).fetchall()]
            if not found:
                row = await (await connection.execute(_NO_HOURS, {"hours": hours})).fetchone()
                assert row is not None, "it asks for no row of a table"  # noqa: S101 - an invariant
                return Conversion((), BlockConversion("", 0, 0, 0, 0, None), row[0])
        first = found[0]
        total = (first.all_sent, first.all_refused, first.all_verified, first.all_not_verified)
        blocks = [
            BlockConversion(each.block, each.sent, each.refused, each.verified, each.not_verified, each.suspected_at)
            for each in found
        ]
        return Conversion(blocks, BlockConversion("", *total, None), first.since)


# A window of 10 minutes is over after 20 for every transaction, however long it waited.
_FORGET_WINDOWS: Final = """
    DELETE FROM recipient_window WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM recipient_window WHERE last_at < now() - interval '20 minutes'
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""
_FORGET_BLOCKS: Final = """
    DELETE FROM number_block WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM number_block WHERE last_at < now() - interval '20 minutes'
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""
_FORGET_HOURS: Final = """
    DELETE FROM number_block_hour WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM number_block_hour WHERE hour < now() - make_interval(secs => %(keep_s)s)
        ORDER BY hour LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""
_FORGET_FEEDBACK: Final = """
    DELETE FROM message_feedback WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM message_feedback WHERE given_at < now() - make_interval(secs => %(keep_s)s)
        ORDER BY given_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""


class PostgresAbuseCounts(Archive):
    """What is counted of phones and numbers: of the last minutes, and by the hour for some days."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    async def forget(self, keep_s: float, limit: int) -> int:
        """Deletes what is over in each table; how many rows where it was most. `keep_s`: of hours and feedback."""
        some = {"limit": limit}
        old = {"keep_s": keep_s, **some}
        async with migrated(single_statement(self._pool)) as connection:
            windows = (await connection.execute(_FORGET_WINDOWS, some)).rowcount
            blocks = (await connection.execute(_FORGET_BLOCKS, some)).rowcount
            hours = (await connection.execute(_FORGET_HOURS, old)).rowcount
            feedback = (await connection.execute(_FORGET_FEEDBACK, old)).rowcount
        return max(windows, blocks, hours, feedback)
