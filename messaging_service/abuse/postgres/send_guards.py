"""Limits that count phones and numbers, inside the transaction that accepts messages.

The accounts are locked by the caller, and every row is of one account: a count cannot change between the statement that
reads it and the one that writes it, so that no race exceeds a limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from messaging_service.abuse.domain import block_counts
from messaging_service.abuse.domain.block_counts import BlockHour, Tally
from messaging_service.abuse.domain.number_blocks import (
    LEAST_TO_JUDGE,
    BlockTraffic,
    Verdict,
    block_of,
    is_watched,
    pumping_refused,
)
from messaging_service.abuse.domain.recipient_windows import Counted, OtpRule, check_window, kept, limits_of
from messaging_service.accounts.domain.account import Account
from messaging_service.accounts.domain.account_limits import PumpingGuard
from messaging_service.accounts.postgres.recipient_limits import Phone, count_recipients, recipient_counts
from messaging_service.shared.numbering.destinations import allowed_destinations
from messaging_service.shared.phone_numbers import destination_refused
from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import Rows, Statement, Step

Block = tuple[str, str]
"""An account and a block of numbers."""

# Windows of codes are kept with the block of the phone.
_WINDOWS: Final = Statement("""
    SELECT account_id, recipient, sent_us
    FROM unnest(%(accounts)s::text[], %(recipients)s::text[]) AS asked (account_id, recipient)
    JOIN recipient_window USING (account_id, recipient) WHERE counted = 'all'
""")
_BLOCKS: Final = Statement("""
    SELECT account_id, block, seen, codes
    FROM unnest(%(accounts)s::text[], %(blocks)s::text[]) AS asked (account_id, block)
    JOIN number_block USING (account_id, block)
""")
_WEEKS: Final = Statement("""
    SELECT account_id, block, sum(sent)::bigint
    FROM unnest(%(accounts)s::text[], %(blocks)s::text[]) AS asked (account_id, block)
    JOIN number_block_hour USING (account_id, block)
    WHERE hour > now() - interval '7 days'
    GROUP BY account_id, block
""")
_KEEP_WINDOWS: Final = Statement("""
    INSERT INTO recipient_window (account_id, recipient, counted, sent_us, last_at)
    SELECT account_id, recipient, 'all', sent_us, now()
    FROM json_to_recordset(%(rows)s::json) AS counted (account_id text, recipient text, sent_us bigint[])
    ON CONFLICT (account_id, recipient, counted) DO UPDATE SET sent_us = excluded.sent_us, last_at = excluded.last_at
""")
_KEEP_BLOCKS: Final = Statement("""
    INSERT INTO number_block AS b (
        account_id, block, seen, codes, last_at, suspected_at, numbers, longest_run, usual
    )
    SELECT
        account_id, block, seen, codes, now(),
        CASE WHEN numbers IS NOT NULL THEN now() END, numbers, longest_run, usual
    FROM json_to_recordset(%(rows)s::json) AS counted (
        account_id text, block text, seen bigint[], codes bigint[], numbers int, longest_run int, usual float
    )
    ON CONFLICT (account_id, block) DO UPDATE SET
        seen = excluded.seen, codes = excluded.codes, last_at = excluded.last_at,
        suspected_at = coalesce(excluded.suspected_at, b.suspected_at),
        numbers = coalesce(excluded.numbers, b.numbers),
        longest_run = coalesce(excluded.longest_run, b.longest_run), usual = coalesce(excluded.usual, b.usual)
""")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR_US: Final = timedelta(hours=1) // _MICROSECOND


def read_blocks(blocks: Collection[Block]) -> Step:
    """Reads what is counted of blocks, for `SendGuards.take`; the accounts of the transaction are locked before."""
    accounts, numbers = zip(*blocks, strict=True)
    return _BLOCKS(accounts=accounts, blocks=numbers)


class Counting(NamedTuple):
    """What a transaction counts by, and into."""

    otps: OtpRule
    """What the service takes for one-time codes."""
    tally: Tally
    """Takes what went to blocks of numbers, which is put on record apart from the transaction, once that is over."""


class Plan(NamedTuple):
    """What is looked at for a message of an account."""

    has_hour: bool
    window: int | None
    """Most messages to the phone in a window."""
    codes: int | None
    """Most one-time codes to the phone in a window."""
    is_watched: bool
    destinations: tuple[str, ...] | None


class Guarded(NamedTuple):
    """A message that limits look at."""

    account_id: str
    recipient: str
    block: Block
    plan: Plan


class SendGuards:
    """The counts that a transaction needs: planned first, read together, checked and counted one by one, kept together.

    A message that `plan` answers with None costs nothing more.
    """

    def __init__(self, accounts: Mapping[str, Account], counting: Counting) -> None:
        """`accounts`: those that send, locked."""
        self._accounts = accounts
        self._otps, self._tally = counting
        # The instant of the transaction, which all its accounts were read at.
        instant = next(iter(accounts.values())).usage.as_of if accounts else _EPOCH
        self._now_us = (instant - _EPOCH) // _MICROSECOND
        self._hour = self._now_us // _HOUR_US
        self._plans: dict[tuple[str, bool], Plan | None] = {}
        self._hours: dict[Phone, int] = {}
        self._windows: dict[Phone, list[int]] = {}
        self._blocks: dict[Block, BlockTraffic] = {}
        """Those that were read."""
        self._to_read: set[Block] = set()
        self._to_watch: dict[Block, list[str]] = {}
        """The recipients in blocks that are watched."""
        self._changed: set[Block] = set()
        self._suspected: set[Block] = set()

    def take(self, blocks: Iterable[Block], rows: Rows) -> None:
        """Takes the rows that `read_blocks` gave for blocks: those of codes are read before anything is planned."""
        self._blocks |= {block: BlockTraffic() for block in blocks}
        for account_id, block, seen, codes in rows:
            self._blocks[account_id, block] = BlockTraffic.read(seen, codes, self._now_us)

    def plan(self, account_id: str, recipient: str, tags: Iterable[str]) -> Guarded | None:
        """What must be known for a message; None when no limit looks at it."""
        key = (account_id, self._otps.holds_for(tags))
        if key in self._plans:
            plan = self._plans[key]
        else:
            plan = self._plans[key] = self._made(*key)
        if plan is None:
            return None
        if plan.has_hour:
            self._hours[account_id, recipient] = 0
        if plan.window is not None:
            self._windows[account_id, recipient] = []
        block = (account_id, block_of(recipient))
        if plan.is_watched or plan.codes is not None:
            if block not in self._blocks:
                self._to_read.add(block)
            if plan.is_watched:
                self._to_watch.setdefault(block, []).append(recipient)
        return Guarded(account_id, recipient, block, plan)

    def _made(self, account_id: str, is_otp: bool) -> Plan | None:
        limits = self._accounts[account_id].limits
        allowed = limits_of(limits, self._otps, is_otp=is_otp)
        plan = Plan(
            has_hour=limits.messages_per_recipient_hour is not None,
            window=allowed.messages,
            codes=allowed.codes,
            is_watched=is_watched(limits, is_otp=is_otp),
            destinations=limits.destinations,
        )
        # A limit is at least 1.
        return plan if any(plan) else None

    async def read(self, connection: Connection) -> None:
        """Reads the counts of everything that was planned and not taken; no round trip when nothing is left to read."""
        steps: list[Step] = []
        if self._hours:
            steps.append(recipient_counts(self._hours))
        if self._windows:
            accounts, recipients = zip(*self._windows, strict=True)
            steps.append(_WINDOWS(accounts=accounts, recipients=recipients))
        if self._to_read:
            steps.append(read_blocks(self._to_read))
        if steps:
            answers = iter(await connection.trip(*steps))
            if self._hours:
                for account_id, recipient, messages in next(answers):
                    self._hours[account_id, recipient] = messages
            if self._windows:
                for account_id, recipient, sent_us in next(answers):
                    self._windows[account_id, recipient] = kept(sent_us, self._now_us)
            if self._to_read:
                self.take(self._to_read, next(answers))
        await self._read_weeks(connection)

    async def _read_weeks(self, connection: Connection) -> None:
        # Most blocks have so few numbers that nobody asks what is usual there.
        judged = [
            block
            for block, phones in self._to_watch.items()
            if len(phones) + self._blocks[block].numbers >= LEAST_TO_JUDGE
        ]
        if judged:
            accounts, blocks = zip(*judged, strict=True)
            (weeks,) = await connection.trip(_WEEKS(accounts=accounts, blocks=blocks))
            for account_id, block, sent in weeks:
                self._blocks[account_id, block].sent_in_week = sent

    def check(self, guarded: Guarded) -> None:
        """Raises ServiceError DESTINATION_NOT_ALLOWED, RECIPIENT_LIMIT_REACHED or PUMPING_SUSPECTED."""
        account_id, recipient, block, plan = guarded
        account = self._accounts[account_id]
        if plan.destinations is not None:
            problem = allowed_destinations(plan.destinations)(recipient)
            if problem is not None:
                raise destination_refused(problem)
        if plan.has_hour:
            account.check_recipient(self._hours[account_id, recipient])
        if plan.window is not None:
            sent_us = self._windows[account_id, recipient]
            check_window(account_id, Counted.ALL, plan.window, sent_us, self._now_us)
        if plan.codes is not None:
            codes = self._blocks[block].codes_of(recipient)
            check_window(account_id, Counted.OTPS, plan.codes, codes, self._now_us)
        if plan.is_watched:
            self._watch(account, recipient, block)

    def _watch(self, account: Account, recipient: str, block: Block) -> None:
        traffic = self._blocks[block]
        traffic.note(recipient, self._now_us)
        self._changed.add(block)
        verdict = traffic.verdict()
        if verdict is not Verdict.USUAL:
            self._suspected.add(block)
        if verdict is Verdict.PUMPED and account.limits.pumping is PumpingGuard.BLOCK:
            block_counts.count(self._tally, BlockHour(*block, self._hour), refused=1)
            raise pumping_refused(account.id)

    def count(self, guarded: Guarded) -> None:
        """Counts a message that is accepted."""
        account_id, recipient, block, plan = guarded
        if plan.has_hour:
            self._hours[account_id, recipient] += 1
        if plan.window is not None:
            self._windows[account_id, recipient].append(self._now_us)
        if plan.codes is not None:
            self._blocks[block].note_code(recipient, self._now_us)
            self._changed.add(block)
        if plan.is_watched:
            block_counts.count(self._tally, BlockHour(*block, self._hour), sent=1)

    def kept(self) -> list[Step]:
        """Puts the counts on record, in the caller's next round trip."""
        steps: list[Step] = []
        if self._hours:
            steps.append(count_recipients(self._hours))
        windows = [
            {"account_id": account_id, "recipient": recipient, "sent_us": sent_us}
            for (account_id, recipient), sent_us in self._windows.items()
            if sent_us
        ]
        if windows:
            steps.append(_KEEP_WINDOWS(rows=msgspec.json.encode(windows)))
        if self._changed:
            steps.append(_KEEP_BLOCKS(rows=msgspec.json.encode([self._row(block) for block in sorted(self._changed)])))
        return steps

    def _row(self, block: Block) -> dict[str, object]:
        traffic = self._blocks[block]
        row: dict[str, object] = {
            "account_id": block[0],
            "block": block[1],
            "seen": traffic.packed_seen(),
            "codes": traffic.packed_codes(),
        }
        if block in self._suspected:
            row |= {"numbers": traffic.numbers, "longest_run": traffic.longest_run, "usual": traffic.usual}
        return row
