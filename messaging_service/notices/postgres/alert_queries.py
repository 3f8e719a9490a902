"""Reads from the database what the rules of accounts look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from messaging_service.notices.domain.alert_conditions import AlertKind, BalanceLow, SmsFailing, UnitsLow
from messaging_service.notices.domain.alert_readings import (
    LATEST_MESSAGES,
    MOST_BLOCKS,
    MOST_UNKNOWN,
    WATCHED_MODE,
    WATCHED_STATUS,
    CarrierHealth,
    PumpedBlock,
    Reading,
    balance_reading,
    carrier_balance_reading,
    down_reading,
    failing_reading,
    pumping_reading,
    unknown_reading,
)
from messaging_service.notices.domain.alerts import AlertRule
from messaging_service.shared.domain.states import STATUS_OF, State, Status
from messaging_service.shared.postgres.month_ranges import lowest_id_sql, spares
from service_kit.postgres.database import Connection

Rules = Mapping[str, Mapping[AlertKind, AlertRule]]
Found = list[tuple[str, AlertRule, Reading]]

_FAILED: Final = [state.value for state in State if STATUS_OF[state] is Status.FAILED]
_SENT: Final = [state.value for state in State if STATUS_OF[state] is Status.SENT]

_BALANCES: Final = """
    SELECT id, posted - held + credit_limit FROM account
    WHERE id = ANY(%(accounts)s) AND mode = %(mode)s AND status = %(status)s
"""
_FAILING: Final = f"""
    SELECT asked.id, count(*) FILTER (WHERE m.state = ANY(%(failed)s)),
        count(*) FILTER (WHERE m.state = ANY(%(failed)s) OR m.state = ANY(%(sent)s))
    FROM unnest(%(accounts)s::text[], %(windows)s::interval[]) AS asked (id, span) LEFT JOIN LATERAL (
        SELECT state FROM message WHERE account_id = asked.id AND mode = 'live' AND created_at > now() - asked.span
            AND {spares("id", ">=", lowest_id_sql("now() - asked.span - interval '1 day'"))}
        ORDER BY created_at DESC, id DESC LIMIT %(latest)s
    ) m ON true GROUP BY asked.id
"""
_PUMPED: Final = """
    SELECT asked.id, b.block, b.numbers, b.longest_run, b.usual, h.sent, h.refused, h.verified, h.not_verified
    FROM unnest(%(accounts)s::text[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT block, numbers, longest_run, usual FROM number_block
        WHERE account_id = asked.id AND suspected_at > now() - interval '10 minutes'
        ORDER BY numbers DESC, block LIMIT %(most)s
    ) b CROSS JOIN LATERAL (
        SELECT coalesce(sum(sent), 0)::bigint AS sent, coalesce(sum(refused), 0)::bigint AS refused,
            coalesce(sum(verified), 0)::bigint AS verified, coalesce(sum(not_verified), 0)::bigint AS not_verified
        FROM number_block_hour
        WHERE account_id = asked.id AND block = b.block AND hour > now() - interval '1 day'
    ) h ORDER BY asked.id, b.numbers DESC, b.block
"""
_UNKNOWN: Final = "SELECT count(*) FROM (SELECT 1 FROM dispatch WHERE state = 'unknown' LIMIT %(most)s) AS found"


class Readings:
    """Reads what rules ask for, each thing once for all of them."""

    def __init__(
        self,
        connection: Connection,
        carriers: Sequence[CarrierHealth],
        down_since: Mapping[str, datetime],
        prices: Mapping[str, Decimal],
        now: datetime,
    ) -> None:
        """`down_since`: since when each carrier is down, by its name; those that are not are absent.

        `prices`: KES for an SMS unit, by account; those whose price is not known are absent.
        """
        self._connection = connection
        self._carriers = carriers
        self._down_since = down_since
        self._prices = prices
        self._now = now
        self.unknown: set[tuple[str, AlertKind]] = set()
        """Rules for which `of` could find out neither a reading nor that there is none."""

    async def of(self, rules: Rules) -> Found:
        """What each rule sees; rules without anything to see, such as a balance, are left out."""
        found = [*await self._balances(rules), *await self._failing(rules)]
        found += [*await self._unknown(rules), *await self._pumped(rules)]
        for account_id, kinds in rules.items():
            down, balance = kinds[AlertKind.CARRIER_DOWN], kinds[AlertKind.CARRIER_BALANCE_LOW]
            for carrier in self._carriers:
                down_for = self._now - self._down_since.get(carrier.name, self._now)
                found.append((account_id, down, down_reading(carrier, down_for)))
                if reading := carrier_balance_reading(carrier):
                    found.append((account_id, balance, reading))
        return found

    async def _balances(self, rules: Rules) -> Found:
        parameters = {"accounts": list(rules), "mode": WATCHED_MODE.value, "status": WATCHED_STATUS.value}
        cursor = await self._connection.execute(_BALANCES, parameters)
        found: Found = []
        for account_id, available in await cursor.fetchall():
            rule, price = rules[account_id][AlertKind.BALANCE_LOW], self._prices.get(account_id)
            assert isinstance(rule.condition, BalanceLow | UnitsLow)  # noqa: S101 - the conditions of its kind
            if isinstance(rule.condition, UnitsLow) and price is None:
                self.unknown.add((account_id, rule.kind))
            elif reading := balance_reading(rule.condition, account_id, available, price):
                found.append((account_id, rule, reading))
        return found

    async def _failing(self, rules: Rules) -> Found:
        wanted: dict[str, tuple[AlertRule, SmsFailing]] = {}
        for account_id, kinds in rules.items():
            rule = kinds[AlertKind.SMS_FAILING]
            assert isinstance(rule.condition, SmsFailing)  # noqa: S101 - the condition of its kind
            wanted[account_id] = rule, rule.condition
        parameters: dict[str, Any] = {
            "accounts": list(wanted),
            "windows": [condition.window for _, condition in wanted.values()],
            "failed": _FAILED,
            "sent": _SENT,
            "latest": LATEST_MESSAGES,
        }
        found: Found = []
        for account_id, failed, ended in await (await self._connection.execute(_FAILING, parameters)).fetchall():
            rule, condition = wanted[account_id]
            found.append((account_id, rule, failing_reading(condition, account_id, failed, ended)))
        return found

    async def _pumped(self, rules: Rules) -> Found:
        blocks: dict[str, list[PumpedBlock]] = {account_id: [] for account_id in rules}
        cursor = await self._connection.execute(_PUMPED, {"accounts": list(rules), "most": MOST_BLOCKS})
        for account_id, *block in await cursor.fetchall():
            blocks[account_id].append(PumpedBlock(*block))
        return [
            (account_id, kinds[AlertKind.SMS_PUMPING], pumping_reading(account_id, blocks[account_id]))
            for account_id, kinds in rules.items()
        ]

    async def _unknown(self, rules: Rules) -> Found:
        row = await (await self._connection.execute(_UNKNOWN, {"most": MOST_UNKNOWN})).fetchone()
        reading = unknown_reading(row[0] if row else 0)
        return [(account_id, kinds[AlertKind.OUTCOMES_UNKNOWN], reading) for account_id, kinds in rules.items()]
