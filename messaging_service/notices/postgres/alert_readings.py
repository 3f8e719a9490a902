"""How things stand, as the rules of accounts see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from messaging_service.notices.domain.alerts import AlertKind, AlertRule, Reading
from messaging_service.notices.manage_alerts import CarrierHealth
from messaging_service.shared.domain.states import STATUS_OF, State, Status
from service_kit.postgres.database import Connection

Rules = Mapping[str, Mapping[AlertKind, AlertRule]]
Found = list[tuple[str, AlertRule, Reading]]

LATEST: Final = 1_000
"""Messages of an account that are looked at for failures: a look costs the same however much an account sends."""
MOST_UNKNOWN: Final = 100_000
_FAILED: Final = [state.value for state in State if STATUS_OF[state] is Status.FAILED]
_SENT: Final = [state.value for state in State if STATUS_OF[state] is Status.SENT]

_BALANCES: Final = """
    SELECT id, posted - held + credit_limit FROM account
    WHERE id = ANY(%(accounts)s) AND mode = 'prepaid' AND status = 'active'
"""
_FAILING: Final = """
    SELECT asked.id, count(*) FILTER (WHERE m.state = ANY(%(failed)s)),
        count(*) FILTER (WHERE m.state = ANY(%(failed)s) OR m.state = ANY(%(sent)s))
    FROM unnest(%(accounts)s::text[], %(windows)s::interval[]) AS asked (id, span) LEFT JOIN LATERAL (
        SELECT state FROM message WHERE account_id = asked.id AND created_at > now() - asked.span
        ORDER BY created_at DESC, id DESC LIMIT %(latest)s
    ) m ON true GROUP BY asked.id
"""
_UNKNOWN: Final = "SELECT count(*) FROM (SELECT 1 FROM dispatch WHERE state = 'unknown' LIMIT %(most)s) AS found"


class Readings:
    """Reads what rules ask for, each thing once."""

    def __init__(
        self,
        connection: Connection,
        carriers: Sequence[CarrierHealth],
        down_s: Mapping[str, int],
        prices: Mapping[str, Decimal],
    ) -> None:
        """`down_s`: for how long each carrier is down, 0 while it is not.

        `prices`: KES for a unit, by account; those whose price could not be asked for are missing.
        """
        self._connection = connection
        self._carriers = carriers
        self._down_s = down_s
        self._prices = prices
        self.unknown: set[tuple[str, AlertKind]] = set()
        """Rules of which `of` could not tell what they see: neither that it is well nor that there is nothing."""

    async def of(self, rules: Rules) -> Found:
        """What each rule sees, but for those that have nothing to see, as that of an account without a balance."""
        found = [*await self._balances(rules), *await self._failing(rules), *await self._unknown(rules)]
        for account_id, kinds in rules.items():
            down, balance = kinds[AlertKind.CARRIER_DOWN], kinds[AlertKind.CARRIER_BALANCE_LOW]
            for carrier in self._carriers:
                seconds = Decimal(self._down_s.get(carrier.name, 0))
                found.append((account_id, down, Reading(carrier.name, seconds, {"carrier": carrier.name})))
                if carrier.balance is not None:
                    data = {"carrier": carrier.name, "currency": "KES"}
                    found.append((account_id, balance, Reading(carrier.name, carrier.balance, data)))
        return found

    async def _balances(self, rules: Rules) -> Found:
        cursor = await self._connection.execute(_BALANCES, {"accounts": list(rules)})
        found: Found = []
        for account_id, available in await cursor.fetchall():
            rule = rules[account_id][AlertKind.BALANCE_LOW]
            if not rule.in_units:
                found.append((account_id, rule, Reading(account_id, available, {"currency": "KES"})))
            elif (price := self._prices.get(account_id)) is None:
                self.unknown.add((account_id, rule.kind))
            elif price:
                units = available // price
                data = {"available": f"{available:f}", "currency": "KES", "unitPrice": f"{price:f}"}
                found.append((account_id, rule, Reading(account_id, units, data)))
        return found

    async def _failing(self, rules: Rules) -> Found:
        wanted = {account: kinds[AlertKind.SMS_FAILING] for account, kinds in rules.items()}
        parameters: dict[str, Any] = {
            "accounts": list(wanted),
            "windows": [rule.window for rule in wanted.values()],
            "failed": _FAILED,
            "sent": _SENT,
            "latest": LATEST,
        }
        found: Found = []
        for account_id, failed, ended in await (await self._connection.execute(_FAILING, parameters)).fetchall():
            rule = wanted[account_id]
            # With too few to judge by, an alert that is open ends, as nothing fails any more.
            percent = Decimal(100 * failed) / ended if ended >= max(rule.least_messages, 1) else Decimal(0)
            found.append((account_id, rule, Reading(account_id, round(percent, 2), {"failed": failed, "ended": ended})))
        return found

    async def _unknown(self, rules: Rules) -> Found:
        row = await (await self._connection.execute(_UNKNOWN, {"most": MOST_UNKNOWN})).fetchone()
        reading = Reading("system", Decimal(row[0] if row else 0), {})
        return [(account_id, kinds[AlertKind.OUTCOMES_UNKNOWN], reading) for account_id, kinds in rules.items()]


def carrier_seconds(
    before: Mapping[str, str], carriers: Sequence[CarrierHealth], now: datetime
) -> tuple[dict[str, str], dict[str, int]]:
    """Since when each carrier is down, to be kept, and for how many seconds that is."""
    since = {carrier.name: before.get(carrier.name, now.isoformat()) for carrier in carriers if carrier.is_down}
    return since, {name: int((now - datetime.fromisoformat(text)).total_seconds()) for name, text in since.items()}
