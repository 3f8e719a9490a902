"""Compares what callers were told with what the carrier has and what the database and its accounts say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import psycopg

from benchmarks.driving import FAILED, PENDING, SENT, UNCERTAIN
from benchmarks.own_system import OwnSystem

SETTLE_S = 90.0
"""How long everything may take to come to its end after the last answer."""
_POLL_S = 0.5

_TAKEN = ("accepted", "delivered", "undelivered")
_FINAL = (*_TAKEN, "refused", "expired", "cancelled")

_STATES = "SELECT state, count(*) FROM message WHERE client_message_id LIKE %s GROUP BY state"
_CHARGED_TWICE = """
    SELECT count(*) FROM (
        SELECT FROM ledger_entry WHERE kind = 'charge' GROUP BY message_id HAVING count(*) > 1
    ) AS twice
"""
_MONEY = """
    SELECT
        (SELECT coalesce(sum(held), 0) FROM account),
        (SELECT coalesce(sum(posted), 0) FROM account),
        (SELECT coalesce(sum(amount), 0) FROM ledger_entry),
        (SELECT coalesce(sum(total), 0) FROM message WHERE billing = 'charged')
"""


class LedgerStore(msgspec.Struct, frozen=True):
    """The result for one run."""

    answered: dict[str, int]
    """Messages by what their caller was told, warm-up and drain included."""
    carrier_unique: int
    """Different messages that the carrier took."""
    carrier_repeated: int
    """Messages that the carrier took once more."""
    states: dict[str, int]
    """Messages on record by state."""
    held: Decimal
    """Of all accounts, in KES."""
    posted: Decimal
    """Of all accounts, in KES, since the system was made."""
    settled_after_s: float
    """From the last answer until the last receipt was applied; at most SETTLE_S."""
    lost: int
    """Answered as sent, and not at the carrier; or taken by the database's word, and not at the carrier."""
    problems: list[str]
    """Everything that does not add up; empty when all is well."""


async def reconcile(system: OwnSystem, run: str, answered: Mapping[str, int], before: Mapping[str, int]) -> LedgerStore:
    """Waits until nothing is under way, then compares. `before`: the carrier's counts before the run."""
    begun = time.monotonic()
    async with await psycopg.AsyncConnection.connect(system.database_url, autocommit=True) as connection:
        while True:
            states = await _states(connection, run)
            stats = await asyncio.to_thread(system.carrier_stats)
            settled = all(state in _FINAL and state != "accepted" for state in states) and not stats["receiptsWaiting"]
            settled_after_s = time.monotonic() - begun
            if settled or settled_after_s > SETTLE_S:
                break
            await asyncio.sleep(_POLL_S)
        cursor = await connection.execute(_CHARGED_TWICE)
        (charged_twice,) = await cursor.fetchone() or (0,)
        cursor = await connection.execute(_MONEY)
        held, posted, ledger, charged = await cursor.fetchone() or (Decimal(0),) * 4
    unique = stats["unique"] - before["unique"]
    repeated = stats["repeated"] - before["repeated"]
    sent = answered.get(SENT, 0)
    pending = answered.get(PENDING, 0)
    taken = sum(states.get(state, 0) for state in _TAKEN)
    recorded = sum(states.values())
    told = sent + pending + answered.get(FAILED, 0)
    uncertain = answered.get(UNCERTAIN, 0)
    checks = {
        f"{sent - taken} answered as sent are not on record as taken": sent <= taken,
        f"{sent - unique} answered as sent are not at the carrier": sent <= unique,
        f"the database says that {taken} were taken, the carrier has {unique}": taken == unique,
        f"{repeated} were submitted twice": repeated == 0,
        f"{recorded} are on record, callers were told of {told}, and of {uncertain} they know nothing": (
            told <= recorded <= told + uncertain
        ),
        f"not settled after {SETTLE_S:g} s: {states}, {stats['receiptsWaiting']} receipts waiting": settled,
        f"{held} KES are still held": held == 0 or not settled,
        f"accounts say {posted} KES, their ledger {ledger} KES": posted == ledger,
        f"accounts say {posted} KES, charged messages {charged} KES": posted == -charged,
        f"{charged_twice} messages were charged twice": charged_twice == 0,
    }
    return LedgerStore(
        answered=dict(answered),
        carrier_unique=unique,
        carrier_repeated=repeated,
        states=states,
        held=held,
        posted=posted,
        settled_after_s=round(settled_after_s, 1),
        lost=max(0, max(sent, taken) - unique),
        problems=[problem for problem, holds in checks.items() if not holds],
    )


async def _states(connection: psycopg.AsyncConnection, run: str) -> dict[str, int]:
    cursor = await connection.execute(_STATES, (f"{run}-%",))
    return dict(await cursor.fetchall())
