"""Removes months of messages on a connection of the owner of the tables, and says which may go.

A month of messages goes first, then those of events and parts whose messages are all gone. Each is taken out of its
table, looked at once more, and dropped together with an entry of the audit log. What was broken off is continued.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg

from messaging_service.months.domain.month_rules import MonthFacts, MonthVerdict, verdicts
from service_kit.audit.audit_entry import AuditRecord
from service_kit.postgres.partitions import Partition, attach, count, detach, drop, numbers, partitions, take_time

_STEP: Final = 5_000
_LOWEST: Final = UUID(int=0)
_QUEUED: Final = "SELECT count(*) FROM dispatch WHERE message_id >= %(lowest)s AND message_id < %(above)s"
_CHAINED: Final = "SELECT coalesce(max(last_id), 0) FROM hash_chain WHERE chain = 'events'"
_NEWEST_EVENT: Final = """
    SELECT count(*) FROM message_event WHERE message_id >= %(lowest)s AND message_id < %(above)s AND id > %(chained)s
"""
_FORGET_KEYS: Final = """
    WITH old AS MATERIALIZED (
        SELECT id, account_id, client_message_id FROM message
        WHERE id > %(after)s AND id >= %(lowest)s AND id < %(above)s ORDER BY id LIMIT %(limit)s
    ), gone AS (
        DELETE FROM idempotency i USING old
        WHERE i.account_id = old.account_id AND i.key = old.client_message_id AND i.message_id = old.id
    )
    SELECT id FROM old ORDER BY id DESC LIMIT 1
"""
_NOTE: Final = """
    INSERT INTO audit_entry (action, subject, principal, principal_kind, after)
    VALUES (%(action)s, %(table)s, %(principal)s, 'operator', %(facts)s::jsonb)
"""
_HEAD: Final = "SELECT number, hash FROM hash_chain WHERE chain = 'events' ORDER BY number DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Removed:
    """A partition that is gone."""

    table: str
    partition: str
    rows: int
    octets: int


class MonthInUseError(Exception):
    """Something came to wait in a month while it was taken out; it was put back. The text says what."""


def plan(connection: psycopg.Connection, now: datetime, keep: int) -> list[MonthVerdict]:
    """What is to become of each month of messages, oldest first. `keep`: months before the present one; 0 for all.

    Changes nothing. The connection is in autocommit mode, and its role may read all tables.
    """
    return verdicts([facts for _, facts in _months(connection, now)], now, keep)


def remove(connection: psycopg.Connection, now: datetime, keep: int, *, by: str) -> Iterator[Removed]:
    """Removes the months that `plan` would let go, one after another; each partition as it is gone.

    `by`: who asks, for the audit log. Raises MonthInUseError, and what the database says: repeating is harmless.
    """
    for partition, facts in _months(connection, now):
        (verdict,) = verdicts([facts], now, keep)
        if verdict.obstacles:
            break
        _forget_keys(connection, partition)
        yield _removed(connection, partition, by)
    kept = [each for each in partitions(connection, "message") if each.is_attached]
    if not kept or kept[0].lowest is None:
        return
    for table in ("message_event", "message_part"):
        for partition in partitions(connection, table):
            if partition.above <= kept[0].lowest:
                yield _removed(connection, partition, by)


def _months(connection: psycopg.Connection, now: datetime) -> list[tuple[Partition, MonthFacts]]:
    take_time(connection)
    beside: dict[UUID, int] = {}
    for table in ("message_event", "message_part"):
        for each in partitions(connection, table):
            beside[each.above] = beside.get(each.above, 0) + each.octets
    found = []
    for partition in partitions(connection, "message"):
        if partition.ends > now:
            break
        held = count(connection, partition.name, "billing = 'held'")
        facts = MonthFacts(
            partition=partition.name,
            ends=partition.ends,
            octets=partition.octets + beside.get(partition.above, 0),
            held=held,
            queued=_count(connection, _QUEUED, partition),
            unchained=_unchained(connection, partition),
        )
        found.append((partition, facts))
    return found


def _removed(connection: psycopg.Connection, partition: Partition, by: str) -> Removed:
    gone = take_out(connection, partition)
    rows = count(connection, gone.name)
    facts: dict[str, str | int] = {"partition": gone.name, "above": str(gone.above), "rows": rows}
    if gone.table == "message_event":
        facts["numbers"] = numbers(connection, gone.name, "id")
        head = connection.execute(_HEAD).fetchone()
        if head is not None:
            facts["chain"] = f"{head[0]}:{bytes(head[1]).hex()}"
    removal = AuditRecord("rows.removed", gone.table, after=facts)
    note = {
        "action": removal.action,
        "table": removal.subject,
        "principal": by,
        "facts": json.dumps(removal.after, sort_keys=True),
    }
    drop(connection, gone, lambda: connection.execute(_NOTE, note))
    return Removed(gone.table, gone.name, rows, gone.octets)


def take_out(connection: psycopg.Connection, partition: Partition) -> Partition:
    """Takes a partition out of its table, where nothing can change it any more, and looks once more what waits in it.

    Raises MonthInUseError, and has put it back then.
    """
    gone = detach(connection, partition)
    if waiting := _waiting(connection, gone):
        attach(connection, gone)
        raise MonthInUseError(f"{gone.name} stays, because {waiting}; it is back in its table")
    return gone


def _waiting(connection: psycopg.Connection, gone: Partition) -> str:
    """What waits in a month of messages that nobody can reach any more; empty when nothing does."""
    if gone.table != "message":
        return ""
    held = count(connection, gone.name, "billing = 'held'")
    queued = _count(connection, _QUEUED, gone)
    return f"{held} messages were opened again, and {queued} are in the queue" if held or queued else ""


def _forget_keys(connection: psycopg.Connection, partition: Partition) -> None:
    """A key must lead to a message: whoever sends with it again would find none."""
    after = _LOWEST
    while True:
        row = connection.execute(_FORGET_KEYS, {**_range(partition), "after": after, "limit": _STEP}).fetchone()
        if row is None:
            return
        after = row[0]


def _unchained(connection: psycopg.Connection, partition: Partition) -> int:
    row = connection.execute(_CHAINED).fetchone()
    values = {**_range(partition), "chained": 0 if row is None else row[0]}
    return _one(connection.execute(_NEWEST_EVENT, values).fetchone())


def _count(connection: psycopg.Connection, query: str, partition: Partition) -> int:
    return _one(connection.execute(query.encode(), _range(partition)).fetchone())


def _one(row: Sequence[int] | None) -> int:
    return 0 if row is None else int(row[0])


def _range(partition: Partition) -> Mapping[str, UUID]:
    return {"lowest": partition.lowest or _LOWEST, "above": partition.above}
