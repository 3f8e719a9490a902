"""Limits that count phones and numbers, inside the transaction that accepts messages.

The accounts are locked by the caller, and every row is of one account: a count cannot change between the statement that
reads it and the one that writes it, so that no race exceeds a limit.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from messaging_service.abuse.domain.number_blocks import (
    LEAST_TO_JUDGE,
    BlockTraffic,
    Verdict,
    block_of,
    is_watched,
    place_of,
    pumping_refused,
)
from messaging_service.abuse.domain.recipient_windows import Counted, OtpRule, check_window, kept, limits_of
from messaging_service.accounts.domain.account import Account
from messaging_service.accounts.domain.account_limits import PumpingGuard
from messaging_service.accounts.postgres.recipient_limits import Phone, count_recipients, recipient_counts
from messaging_service.shared.numbering.destinations import allowed_destinations
from messaging_service.shared.phone_numbers import destination_refused
from service_kit.postgres.database import Connection
from service_kit.postgres.pipeline import Statement, Step

Window = tuple[str, str, Counted]
"""An account, a recipient, and what is counted."""
Block = tuple[str, str]
"""An account and a block of numbers."""

_WINDOWS: Final = Statement("""
    SELECT account_id, recipient, counted, sent_us
    FROM unnest(%(accounts)s::text[], %(recipients)s::text[], %(counted)s::text[])
        AS asked (account_id, recipient, counted)
    JOIN recipient_window USING (account_id, recipient, counted)
""")
_BLOCKS: Final = Statement("""
    SELECT account_id, block, seen
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
    SELECT account_id, recipient, counted, sent_us, now()
    FROM json_to_recordset(%(rows)s::json) AS counted (account_id text, recipient text, counted text, sent_us bigint[])
    ON CONFLICT (account_id, recipient, counted) DO UPDATE SET sent_us = excluded.sent_us, last_at = excluded.last_at
""")
_KEEP_BLOCKS: Final = Statement("""
    INSERT INTO number_block AS b (account_id, block, seen, last_at, suspected_at, numbers, longest_run, usual)
    SELECT account_id, block, seen, now(), CASE WHEN numbers IS NOT NULL THEN now() END, numbers, longest_run, usual
    FROM json_to_recordset(%(rows)s::json) AS counted (
        account_id text, block text, seen bigint[], numbers int, longest_run int, usual float
    )
    ON CONFLICT (account_id, block) DO UPDATE SET
        seen = excluded.seen, last_at = excluded.last_at,
        suspected_at = coalesce(excluded.suspected_at, b.suspected_at),
        numbers = coalesce(excluded.numbers, b.numbers),
        longest_run = coalesce(excluded.longest_run, b.longest_run), usual = coalesce(excluded.usual, b.usual)
""")
_ADD_HOURS: Final = Statement("""
    INSERT INTO number_block_hour AS h (account_id, block, hour, sent, refused)
    SELECT account_id, block, date_trunc('hour', now()), sent, refused
    FROM json_to_recordset(%(rows)s::json) AS counted (account_id text, block text, sent int, refused int)
    ON CONFLICT (account_id, block, hour) DO UPDATE SET
        sent = h.sent + excluded.sent, refused = h.refused + excluded.refused
""")


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Plan(NamedTuple):
    """What is looked at for a message of an account."""

    windows: tuple[tuple[Counted, int], ...]
    has_hour: bool
    is_watched: bool
    destinations: tuple[str, ...] | None


class Guarded(NamedTuple):
    """A message that limits look at."""

    account_id: str
    recipient: str
    plan: Plan


class SendGuards:
    """The counts that a transaction needs: planned first, read together, checked and counted one by one, kept together.

    A message that `plan` answers with None costs nothing more.
    """

    def __init__(self, accounts: Mapping[str, Account], otps: OtpRule) -> None:
        """`accounts`: those that send, locked. `otps`: what the service takes for one-time codes."""
        self._accounts = accounts
        self._otps = otps
        self._plans: dict[tuple[str, bool], Plan | None] = {}
        self._hours: dict[Phone, int] = {}
        self._windows: dict[Window, list[int]] = {}
        self._blocks: dict[Block, BlockTraffic] = {}
        self._suspected: dict[Block, BlockTraffic] = {}
        self._sent: Tally[Block] = Tally()
        self._refused: Tally[Block] = Tally()
        self._to_watch: dict[Block, set[int]] = {}

    def plan(self, account_id: str, recipient: str, tags: Iterable[str]) -> Guarded | None:
        """What must be read for a message; None when no limit looks at it."""
        key = (account_id, self._otps.holds_for(tags))
        if key in self._plans:
            plan = self._plans[key]
        else:
            plan = self._plans[key] = self._made(*key)
        if plan is None:
            return None
        if plan.has_hour:
            self._hours[account_id, recipient] = 0
        for counted, _ in plan.windows:
            self._windows[account_id, recipient, counted] = []
        if plan.is_watched:
            self._to_watch.setdefault((account_id, block_of(recipient)), set()).add(place_of(recipient))
        return Guarded(account_id, recipient, plan)

    def _made(self, account_id: str, is_otp: bool) -> Plan | None:
        limits = self._accounts[account_id].limits
        plan = Plan(
            limits_of(limits, self._otps, is_otp=is_otp),
            limits.messages_per_recipient_hour is not None,
            is_watched(limits, is_otp=is_otp),
            limits.destinations,
        )
        return plan if any(plan) else None

    async def read(self, connection: Connection) -> None:
        """Reads the counts of everything that was planned."""
        if self._hours:
            self._hours = await recipient_counts(connection, self._hours)
        steps: list[Step] = []
        if self._windows:
            accounts, recipients, counted = zip(*self._windows, strict=True)
            steps.append(_WINDOWS(accounts=accounts, recipients=recipients, counted=counted))
        if self._to_watch:
            accounts, blocks = zip(*self._to_watch, strict=True)
            steps.append(_BLOCKS(accounts=accounts, blocks=blocks))
        if not steps:
            return
        answers = await connection.trip(*steps)
        if self._windows:
            for account_id, recipient, counted, sent_us in answers[0]:
                self._windows[account_id, recipient, Counted(counted)] = kept(sent_us, self._now_us(account_id))
        if self._to_watch:
            await self._read_blocks(connection, answers[-1])

    async def _read_blocks(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        self._blocks = {block: BlockTraffic() for block in self._to_watch}
        for account_id, block, seen in rows:
            self._blocks[account_id, block] = BlockTraffic.read(seen, self._now_us(account_id))
        # Most blocks have so few numbers that nobody asks what is usual there.
        judged = [
            block
            for block, traffic in self._blocks.items()
            if len(traffic.seen_us.keys() | self._to_watch[block]) >= LEAST_TO_JUDGE
        ]
        if judged:
            accounts, blocks = zip(*judged, strict=True)
            (weeks,) = await connection.trip(_WEEKS(accounts=accounts, blocks=blocks))
            for account_id, block, sent in weeks:
                self._blocks[account_id, block].sent_in_week = sent

    def check(self, guarded: Guarded) -> None:
        """Raises ServiceError DESTINATION_NOT_ALLOWED, RECIPIENT_LIMIT_REACHED or PUMPING_SUSPECTED."""
        account_id, recipient, plan = guarded
        account = self._accounts[account_id]
        if plan.destinations is not None:
            problem = allowed_destinations(plan.destinations)(recipient)
            if problem is not None:
                raise destination_refused(problem)
        if plan.has_hour:
            account.check_recipient(self._hours[account_id, recipient])
        for counted, limit in plan.windows:
            check_window(
                account_id, counted, limit, self._windows[account_id, recipient, counted], self._now_us(account_id)
            )
        if plan.is_watched:
            self._watch(account, recipient)

    def _watch(self, account: Account, recipient: str) -> None:
        block = (account.id, block_of(recipient))
        traffic = self._blocks[block]
        traffic.note(recipient, self._now_us(account.id))
        verdict = traffic.verdict()
        if verdict is not Verdict.USUAL:
            self._suspected[block] = traffic
        if verdict is Verdict.PUMPED and account.limits.pumping is PumpingGuard.BLOCK:
            self._refused[block] += 1
            raise pumping_refused(account.id)

    def count(self, guarded: Guarded) -> None:
        """Counts a message that is accepted."""
        account_id, recipient, plan = guarded
        if plan.has_hour:
            self._hours[account_id, recipient] += 1
        for counted, _ in plan.windows:
            self._windows[account_id, recipient, counted].append(self._now_us(account_id))
        if plan.is_watched:
            self._sent[account_id, block_of(recipient)] += 1

    async def keep(self, connection: Connection) -> None:
        """Puts the counts on record."""
        if self._hours:
            await count_recipients(connection, self._hours)
        steps: list[Step] = []
        windows = [
            {"account_id": account_id, "recipient": recipient, "counted": counted, "sent_us": sent_us}
            for (account_id, recipient, counted), sent_us in self._windows.items()
            if sent_us
        ]
        if windows:
            steps.append(_KEEP_WINDOWS(rows=msgspec.json.encode(windows)))
        if self._blocks:
            steps.append(_KEEP_BLOCKS(rows=msgspec.json.encode([self._row(block) for block in self._blocks])))
        counted = [
            {"account_id": block[0], "block": block[1], "sent": self._sent[block], "refused": self._refused[block]}
            for block in self._sent.keys() | self._refused.keys()
        ]
        if counted:
            steps.append(_ADD_HOURS(rows=msgspec.json.encode(counted)))
        if steps:
            await connection.trip(*steps)

    def _row(self, block: Block) -> dict[str, object]:
        row: dict[str, object] = {"account_id": block[0], "block": block[1], "seen": self._blocks[block].packed()}
        if (suspected := self._suspected.get(block)) is not None:
            row |= {"numbers": suspected.numbers, "longest_run": suspected.longest_run, "usual": suspected.usual}
        return row

    def _now_us(self, account_id: str) -> int:
        """The instant of the transaction, which all its accounts were read at."""
        return (self._accounts[account_id].usage.as_of - _EPOCH) // _MICROSECOND
