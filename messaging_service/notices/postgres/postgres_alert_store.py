"""Rules and alerts in PostgreSQL."""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from typing_extensions import override

from messaging_service.notices.alert_store import AlertStore, Evaluated
from messaging_service.notices.domain.alert_conditions import AlertKind, as_number
from messaging_service.notices.domain.alert_readings import CarrierHealth, Reading, down_since
from messaging_service.notices.domain.alerts import (
    Alert,
    AlertRule,
    Verdict,
    event_of,
    verdict,
    verdict_without_reading,
    with_rules,
)
from messaging_service.notices.domain.alerts import alert_id as public_alert_id
from messaging_service.notices.postgres.alert_queries import Readings
from messaging_service.notices.postgres.alert_rows import ALERT, RuleRow, from_rule, to_rule
from messaging_service.notices.postgres.endpoint_rows import NewDelivery, record
from messaging_service.privacy.sealing.message_contents import PLAIN, Contents
from messaging_service.shared.kept_archives import Archive
from messaging_service.shared.postgres.migrated import migrated
from messaging_service.shared.postgres.record_columns import columns_of
from messaging_service.shared.postgres.tenancy import of_callers, tenants
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor
from service_kit.audit.audit_entry import AuditRecord, facts_of
from service_kit.postgres import audit_log
from service_kit.postgres.database import Connection, Pool, single_statement, transaction

Key = tuple[str, str, str]
"""Account, kind and subject of an alert."""

_READER: Final = "alerts"
# The process that holds the row is at work, and what it reads and what it raises are one transaction: no process
# raises an alert by what was true before another one looked.
_TAKE: Final = """
    SELECT position, now() FROM event_reader
    WHERE name = %(name)s AND moved_at <= now() - make_interval(secs => %(every_s)s) FOR UPDATE SKIP LOCKED
"""
_BEGIN: Final = """
    INSERT INTO event_reader (name, position, moved_at) VALUES (%(name)s, '{}', '-infinity') ON CONFLICT DO NOTHING
"""
_MOVE: Final = "UPDATE event_reader SET position = %(position)s, moved_at = now() WHERE name = %(name)s"
_WATCHED: Final = """
    SELECT account_id FROM alert_rule
    UNION SELECT account_id FROM webhook_endpoint WHERE enabled AND deleted_at IS NULL
"""
_PRICED: Final = "SELECT account_id FROM alert_rule WHERE kind = %(kind)s AND enabled AND in_units"
_RULE: Final = columns_of(RuleRow)
_RULES: Final = f"SELECT account_id, {_RULE} FROM alert_rule WHERE account_id = ANY(%(accounts)s)"
_SET: Final = f"""
    INSERT INTO alert_rule (account_id, {_RULE})
    VALUES (%(account_id)s, {", ".join(f"%({name})s" for name in RuleRow._fields)})
    ON CONFLICT (account_id, kind) DO UPDATE
        SET {", ".join(f"{name} = excluded.{name}" for name in RuleRow._fields if name != "kind")}
"""
_OPEN: Final = "SELECT account_id, kind, subject FROM alert WHERE resolved_at IS NULL"
_RAISE: Final = """
    INSERT INTO alert (id, account_id, kind, subject, value, threshold)
    VALUES (%(id)s, %(account_id)s, %(kind)s, %(subject)s, %(value)s, %(threshold)s)
    ON CONFLICT (account_id, kind, subject) WHERE resolved_at IS NULL DO NOTHING
"""
_RESOLVE: Final = """
    UPDATE alert SET resolved_at = now()
    WHERE account_id = %(account_id)s AND kind = %(kind)s AND subject = %(subject)s AND resolved_at IS NULL
"""
_RECEIVERS: Final = """
    SELECT id FROM webhook_endpoint
    WHERE account_id = %(account_id)s AND enabled AND deleted_at IS NULL AND %(kind)s = ANY(events)
    ORDER BY created_at, id
"""
_HISTORY: Final = f"""
    SELECT {ALERT.sql} FROM alert a CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE d.state = 'pending') AS pending,
            count(*) FILTER (WHERE d.state = 'delivered') AS delivered,
            count(*) FILTER (WHERE d.state = 'failed') AS failed
        FROM webhook_endpoint e JOIN webhook_delivery d
            ON d.endpoint_id = e.id AND d.event_id = 'evt_' || replace(a.id::text, '-', '')
        WHERE e.account_id = a.account_id
    ) d
"""
_ONE: Final = f"{_HISTORY} WHERE a.id = %(id)s AND {of_callers('a.account_id')}"
_ACKNOWLEDGE: Final = f"""
    UPDATE alert SET acknowledged_at = now(), acknowledged_by = %(by)s
    WHERE id = %(id)s AND acknowledged_at IS NULL AND {of_callers("account_id")}
"""
# What is not resolved stays, however old: it is the memory of its rule.
_FORGET: Final = """
    DELETE FROM alert WHERE id = ANY(ARRAY(
        SELECT id FROM alert WHERE resolved_at < now() - make_interval(secs => %(keep_s)s)
        ORDER BY resolved_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""


class PostgresAlertStore(AlertStore, Archive):
    """Rules and alerts, and the one process at a time that evaluates them."""

    def __init__(
        self,
        pool: Pool,
        new_id: Callable[[], UUID],
        every_s: float,
        *,
        give_up_after: timedelta,
        contents: Contents = PLAIN,
    ) -> None:
        """`pool`: not the one that sends messages. `every_s`: the interval of one look by all processes together.

        `give_up_after`: how long the delivery of an alert is tried. `contents` seals bodies.
        """
        self._contents = contents
        self._pool = pool
        self._new_id = new_id
        self._every_s = every_s
        self._give_up_after = give_up_after

    @override
    async def rules(self, account_id: str) -> Mapping[AlertKind, AlertRule]:
        async with migrated(single_statement(self._pool)) as connection:
            return (await _rules(connection, [account_id]))[account_id]

    @override
    async def set_rules(self, account_id: str, rules: Sequence[AlertRule]) -> Mapping[AlertKind, AlertRule]:
        async with migrated(transaction(self._pool)) as connection:
            for rule in rules:
                await connection.execute(_SET, {"account_id": account_id, **from_rule(rule)._asdict()})
            return (await _rules(connection, [account_id]))[account_id]

    @override
    async def alerts(
        self, account_id: str, limit: int, after: tuple[datetime, UUID] | None, *, only_open: bool
    ) -> Sequence[Alert]:
        conditions = ["a.account_id = %(account_id)s"]
        parameters: dict[str, Any] = {"account_id": account_id, "limit": limit}
        if only_open:
            conditions.append("a.resolved_at IS NULL")
        if after is not None:
            conditions.append("(a.raised_at, a.id) < (%(after_time)s, %(after_id)s)")
            parameters["after_time"], parameters["after_id"] = after
        statement = f"{_HISTORY} WHERE {' AND '.join(conditions)} ORDER BY a.raised_at DESC, a.id DESC LIMIT %(limit)s"
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(statement.encode(), parameters)
            return [ALERT.read(row) for row in await cursor.fetchall()]

    @override
    async def acknowledge(self, alert_id: UUID, accounts: Accounts, by: str, actor: Actor) -> Alert | None:
        parameters = {"id": alert_id, "by": by, **tenants(accounts)}
        async with migrated(transaction(self._pool)) as connection:
            is_new = (await connection.execute(_ACKNOWLEDGE, parameters)).rowcount > 0
            row = await (await connection.execute(_ONE, parameters)).fetchone()
            if row is None:
                return None
            alert = ALERT.read(row)
            if is_new:
                said = facts_of(alert, "kind", "subject", "acknowledged_by")
                record = AuditRecord("alert.acknowledged", public_alert_id(alert.id), alert.account_id, after=said)
                await audit_log.record(connection, actor, record)
        return alert

    @override
    async def priced_accounts(self) -> Sequence[str]:
        async with migrated(single_statement(self._pool)) as connection:
            cursor = await connection.execute(_PRICED, {"kind": AlertKind.BALANCE_LOW.value})
            return [row[0] for row in await cursor.fetchall()]

    @override
    async def forget(self, keep_s: float, limit: int) -> int:
        async with migrated(single_statement(self._pool)) as connection:
            return (await connection.execute(_FORGET, {"keep_s": keep_s, "limit": limit})).rowcount

    @override
    async def evaluate(self, carriers: Sequence[CarrierHealth], prices: Mapping[str, Decimal]) -> Evaluated | None:
        async with migrated(transaction(self._pool)) as connection:
            await connection.execute(_BEGIN, {"name": _READER})
            row = await (await connection.execute(_TAKE, {"name": _READER, "every_s": self._every_s})).fetchone()
            if row is None:
                return None
            position, now = row
            before = {name: datetime.fromisoformat(text) for name, text in position.get("down", {}).items()}
            down = down_since(before, carriers, now)
            watched = [account for (account,) in await (await connection.execute(_WATCHED)).fetchall()]
            rules = await _rules(connection, watched)
            readings = Readings(connection, carriers, down, prices, now)
            is_open = set(await (await connection.execute(_OPEN)).fetchall())
            found = await readings.of(rules)
            evaluated = await self._settle(connection, found, is_open, now)
            seen = {(account_id, rule.kind.value, reading.subject) for account_id, rule, reading in found}
            unread = {key for key in is_open - seen if (key[0], AlertKind(key[1])) not in readings.unknown}
            unread_since = _since(position.get("unread", {}), unread, now)
            ended = await self._end_unread(connection, rules, unread_since, now)
            evaluated = Evaluated(evaluated.raised, Tally(evaluated.resolved) + ended)
            kept = {"down": {name: since.isoformat() for name, since in down.items()}, "unread": unread_since}
            await connection.execute(_MOVE, {"name": _READER, "position": Jsonb(kept)})
        return evaluated

    async def _settle(
        self,
        connection: Connection,
        found: Sequence[tuple[str, AlertRule, Reading]],
        is_open: AbstractSet[Key],
        now: datetime,
    ) -> Evaluated:
        raised: Tally[AlertKind] = Tally()
        resolved: Tally[AlertKind] = Tally()
        for account_id, rule, reading in found:
            key = {"account_id": account_id, "kind": rule.kind.value, "subject": reading.subject}
            known = (account_id, rule.kind.value, reading.subject) in is_open
            match verdict(rule, reading, is_open=known):
                case Verdict.RAISE:
                    raised[rule.kind] += await self._raise(connection, account_id, rule, reading, now)
                case Verdict.RESOLVE:
                    resolved[rule.kind] += (await connection.execute(_RESOLVE, key)).rowcount
                case Verdict.KEEP:
                    continue
        return Evaluated(+raised, +resolved)

    async def _end_unread(
        self,
        connection: Connection,
        rules: Mapping[str, Mapping[AlertKind, AlertRule]],
        unread_since: Mapping[str, str],
        now: datetime,
    ) -> Tally[AlertKind]:
        """Resolves open alerts that have no reading any more, because there is nothing left to warn of."""
        resolved: Tally[AlertKind] = Tally()
        for text, since in unread_since.items():
            account_id, word, subject = json.loads(text)
            kind = AlertKind(word)
            rule = rules[account_id][kind] if account_id in rules else None
            if verdict_without_reading(rule, now - datetime.fromisoformat(since)) is Verdict.RESOLVE:
                key = {"account_id": account_id, "kind": word, "subject": subject}
                resolved[kind] += (await connection.execute(_RESOLVE, key)).rowcount
        return resolved

    async def _raise(
        self, connection: Connection, account_id: str, rule: AlertRule, reading: Reading, now: datetime
    ) -> int:
        new = self._new_id()
        key = {"account_id": account_id, "kind": rule.kind.value}
        threshold = as_number(rule.condition.threshold)
        alert = {
            "id": new,
            "subject": reading.subject,
            "value": reading.value,
            "threshold": threshold,
            **key,
        }
        if (await connection.execute(_RAISE, alert)).rowcount == 0:
            return 0
        event = event_of(new, account_id, rule, reading, now)
        not_before = None if rule.quiet is None else rule.quiet.ends_after(now)
        endpoints = await (await connection.execute(_RECEIVERS, key)).fetchall()
        deliveries = [NewDelivery(self._new_id(), row[0], event, not_before) for row in endpoints]
        await record(connection, deliveries, self._give_up_after, self._contents)
        return 1


def _since(before: Mapping[str, str], keys: AbstractSet[Key], now: datetime) -> dict[str, str]:
    """Since when each alert has had no reading, by its key as a JSON text, as the reader's position keeps it."""
    texts = sorted(json.dumps(key) for key in keys)
    return {text: before.get(text, now.isoformat()) for text in texts}


async def _rules(connection: Connection, accounts: Sequence[str]) -> dict[str, dict[AlertKind, AlertRule]]:
    own: dict[str, dict[AlertKind, AlertRule]] = {account: {} for account in accounts}
    for account_id, *row in await (await connection.execute(_RULES, {"accounts": list(accounts)})).fetchall():
        rule = to_rule(RuleRow(*row))
        own[account_id][rule.kind] = rule
    return {account: with_rules(rules) for account, rules in own.items()}
