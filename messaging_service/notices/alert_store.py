"""The port to the rules of alerts and to the alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from messaging_service.notices.domain.alert_conditions import AlertKind
from messaging_service.notices.domain.alert_readings import CarrierHealth
from messaging_service.notices.domain.alerts import Alert, AlertRule
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor


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

    async def acknowledge(self, alert_id: UUID, accounts: Accounts, by: str, actor: Actor) -> Alert | None:
        """Records who has seen an alert, unless somebody has, which is audited; None when there is no such alert.

        `accounts`: those of the caller, None for all; an alert of another one is none.
        """
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
