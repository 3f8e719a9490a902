"""Watches for what accounts want to be warned of, and manages their rules and alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

from messaging_service.carriers.control_carriers import CarrierRegistry, CarrierReport
from messaging_service.carriers.domain.carrier_control import CarrierMode
from messaging_service.carriers.domain.circuit_breaker import BreakerState
from messaging_service.notices.domain.alert_conditions import (
    AlertKind,
    BalanceLow,
    CarrierBalanceLow,
    CarrierDown,
    Condition,
    OutcomesUnknown,
    SmsFailing,
    UnitsLow,
    out_of_range,
)
from messaging_service.notices.domain.alert_readings import CarrierHealth
from messaging_service.notices.domain.alerts import Alert, AlertRule
from messaging_service.notices.notice_meters import AlertMeter
from messaging_service.prices.prices import Prices
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.duties.duty import Duty, DutyLog
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.identifiers import identifier_problem


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The alerts that one look raised and resolved."""

    raised: Mapping[AlertKind, int]
    resolved: Mapping[AlertKind, int]
    """Kinds without any are absent."""


class AlertStore(Protocol):
    """Rules and alerts. Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached."""

    async def rules(self, account_id: str) -> Mapping[AlertKind, AlertRule]:
        """The account's rules of every kind, the defaults where it has set none."""
        ...

    async def set_rules(self, account_id: str, rules: Sequence[AlertRule]) -> Mapping[AlertKind, AlertRule]:
        """Sets rules, all or none; kinds that are not among them stay."""
        ...

    async def alerts(
        self, account_id: str, limit: int, after: tuple[datetime, UUID] | None, *, only_open: bool
    ) -> Sequence[Alert]:
        """Up to `limit` alerts of an account, newest first. `after`: the last one of the page before, if any."""
        ...

    async def acknowledge(self, alert_id: UUID, by: str) -> Alert | None:
        """Records who has seen an alert, unless somebody has; None when there is no such alert."""
        ...

    async def priced_accounts(self) -> Sequence[str]:
        """Accounts whose balance is watched in SMS units."""
        ...

    async def evaluate(self, carriers: Sequence[CarrierHealth], prices: Mapping[str, Decimal]) -> Evaluated | None:
        """Raises and resolves alerts by the present readings.

        `prices`: KES for an SMS unit, by account; accounts whose price is not known are absent. None when another
        process is evaluating, or did so within the interval.
        """
        ...


class WatchForAlerts:
    """Evaluates the rules at an interval; one process at a time does."""

    def __init__(
        self,
        store: AlertStore,
        carriers: CarrierRegistry,
        prices: Prices,
        log: DutyLog,
        meter: AlertMeter,
        *,
        every_s: float,
    ) -> None:
        self._store = store
        self._carriers = carriers
        self._prices = prices
        self._log = log
        self._meter = meter
        self._duty = Duty("alerts", self._pass, log, every_s=every_s)

    async def run(self) -> None:
        """Runs until cancelled."""
        await self._duty.run()

    async def _pass(self) -> None:
        await self.look()

    async def look(self) -> Evaluated | None:
        """Evaluates all rules once; None as in AlertStore.evaluate."""
        reports = await self._carriers.reports()
        prices: dict[str, Decimal] = {}
        for account_id in await self._store.priced_accounts():
            try:
                prices[account_id] = (await self._prices.price_of(account_id, None, None)).price.unit_price
            except ServiceError as error:
                # Without its price the account's alert is neither raised nor resolved.
                self._log.upkeep_failed("alerts", error.reason)
        evaluated = await self._store.evaluate(health_of(reports), prices)
        if evaluated is not None:
            self._meter.evaluated(evaluated.raised, evaluated.resolved)
        return evaluated


def health_of(reports: Sequence[CarrierReport]) -> list[CarrierHealth]:
    """The carriers that replicas reported lately. One that an operator took out of use is not down."""
    names = sorted({report.status.carrier.name for report in reports})
    found = []
    for name in names:
        own = [report.status for report in reports if report.status.carrier.name == name]
        wanted = [status for status in own if status.mode is CarrierMode.RUNNING]
        usable = any(status.carrier.is_up and status.breaker is not BreakerState.OPEN for status in wanted)
        balances = [status.carrier.balance for status in own if status.carrier.balance is not None]
        found.append(CarrierHealth(name, bool(wanted) and not usable, min(balances, default=None)))
    return found


class ManageAlerts:
    """The use cases behind AlertService."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store

    async def rules(self, account_id: str) -> Mapping[AlertKind, AlertRule]:
        """The account's rules of every kind. Raises ServiceError INVALID."""
        _check("user_id", account_id)
        return await self._store.rules(account_id)

    async def set_rules(self, account_id: str, rules: Sequence[AlertRule]) -> Mapping[AlertKind, AlertRule]:
        """Sets rules, all or none; kinds that are not among them stay.

        Raises ServiceError INVALID that names every field at fault.
        """
        problem = identifier_problem(account_id)
        faults = [] if problem is None else [Violation("user_id", reasons.INVALID_IDENTIFIER, problem)]
        if faults := faults + _rule_faults(rules):
            raise invalid(faults)
        return await self._store.set_rules(account_id, rules)

    async def alerts(
        self, account_id: str, limit: int, after: tuple[datetime, UUID] | None, *, only_open: bool
    ) -> Sequence[Alert]:
        """Alerts, newest first. Raises ServiceError INVALID."""
        _check("user_id", account_id)
        return await self._store.alerts(account_id, limit, after, only_open=only_open)

    async def acknowledge(self, alert_id: UUID, by: str) -> Alert:
        """Records who has seen an alert. Raises ServiceError INVALID or ALERT_NOT_FOUND."""
        _check("acknowledged_by", by)
        alert = await self._store.acknowledge(alert_id, by)
        if alert is None:
            raise alert_not_found()
        return alert


def alert_not_found() -> ServiceError:
    """The error for an id that no alert has."""
    return ServiceError(
        Kind.NOT_FOUND, reasons.ALERT_NOT_FOUND, "there is no alert with that id; list the account's alerts to find it"
    )


_FIELDS: Final[Mapping[type[Condition], tuple[str, str]]] = {
    BalanceLow: ("balance_low", "_micros"),
    UnitsLow: ("units_low", "_units"),
    SmsFailing: ("sms_failing", "_percent_micros"),
    OutcomesUnknown: ("outcomes_unknown", "_messages"),
    CarrierDown: ("carrier_down", ""),
    CarrierBalanceLow: ("carrier_balance_low", "_micros"),
}
"""The published field of each condition, and how those of its threshold and margin end."""


def _rule_faults(rules: Sequence[AlertRule]) -> list[Violation]:
    if not rules:
        return [Violation("rules", reasons.REQUIRED, "is empty; give the rules to set")]
    faults = []
    for place, rule in enumerate(rules):
        condition, ending = _FIELDS[type(rule.condition)]
        for field, allowed in out_of_range(rule.condition):
            name = field + ending if field in {"threshold", "margin"} else field
            path = f"rules[{place}].{condition}.{name}"
            faults.append(Violation(path, reasons.OUT_OF_RANGE, f"is out of range; give {allowed}"))
        if rule.quiet is not None and not rule.quiet.is_valid:
            problem = "is out of range; give two different minutes of the day, 0 to 1,439"
            faults.append(Violation(f"rules[{place}].quiet_hours", reasons.OUT_OF_RANGE, problem))
    if len({rule.kind for rule in rules}) < len(rules):
        faults.append(Violation("rules", reasons.NOT_ALLOWED, "has two rules of one kind; give one of each"))
    return faults


def _check(field: str, value: str) -> None:
    if problem := text_problem(value, MAX_IDENTIFIER):
        raise invalid([Violation(field, reasons.INVALID_IDENTIFIER, problem)])
