"""Manages what accounts want to be warned of, and their alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from messaging_service.notices.alert_store import AlertStore
from messaging_service.notices.domain.alert_conditions import (
    AlertKind,
    BalanceLow,
    CarrierBalanceLow,
    CarrierDown,
    Condition,
    OutcomesUnknown,
    SmsFailing,
    SmsPumping,
    UnitsLow,
    out_of_range,
)
from messaging_service.notices.domain.alerts import Alert, AlertRule
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.identifiers import identifier_problem


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

    async def acknowledge(self, alert_id: UUID, accounts: Accounts, by: str, *, actor: Actor) -> Alert:
        """Records who has seen an alert of the caller's accounts. Raises ServiceError INVALID or ALERT_NOT_FOUND."""
        _check("acknowledged_by", by)
        alert = await self._store.acknowledge(alert_id, accounts, by, actor)
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
    SmsPumping: ("sms_pumping", "_blocks"),
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
