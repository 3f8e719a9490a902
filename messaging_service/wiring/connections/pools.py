"""The connections of the service to its database, apart for each kind of work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from messaging_service.shared.postgres.report_turns import ReportBounds
from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.settings.database_settings import DatabaseSettings
from service_kit.postgres.database import Pool, create_pool
from service_kit.postgres.pipeline import PATIENCE_S

REPORTS = ReportBounds()
CLOSE_S = 5.0
_BILLING = 3
_NOTICES = 3
_ACCESS = 4
_NOTICES_TIMEOUT_S = 30.0
_CATCH_UPS = 2
_CATCH_UP_TIMEOUT_S = 30.0
_REPLICA = 6
_REPLICA_TIMEOUT_S = 1.0
"""The primary answers instead, so that nobody needs to wait for long."""
_CATCH_UP_PATIENCE_S = 10 * 60 + 5.0
"""Longest wait for an answer: catching up allows the database 10 minutes for a statement."""
_REPORT_PATIENCE_S = 15 * 60 + 5.0
"""Longest wait for an answer: reports allow the database up to 15 minutes for one statement."""


@dataclass(frozen=True, slots=True)
class Pools:
    """Each with its own connections, not open until `open`."""

    main: Pool
    """For senders, and whatever is as quick."""
    billing: Pool
    """For payments, balances and statements, which wait neither for sends nor for reports."""
    reports: Pool
    """For reports, one after another."""
    notices: Pool
    """For webhooks, channels and alerts: reading what happened may take long."""
    tail: Pool
    """For the reader of all watchers, which never waits for it."""
    catch_up: Pool
    """For watchers that catch up."""
    access: Pool
    """For API keys: who calls is known however busy senders are."""

    replica: Pool | None = None
    """For lists and statements on a standby; None where there is none."""
    replica_reports: Pool | None = None
    """For reports on a standby; None where there is none."""

    @property
    def by_name(self) -> dict[str, Pool]:
        """All of them, by the name that their figures carry."""
        found = {
            "messaging": self.main,
            "billing": self.billing,
            "reports": self.reports,
            "webhooks": self.notices,
            "tail": self.tail,
            "catch-up": self.catch_up,
            "access": self.access,
            "replica": self.replica,
            "replica-reports": self.replica_reports,
        }
        return {name: pool for name, pool in found.items() if pool is not None}

    async def open(self) -> None:
        """Connects when something is to be done; waits for no connection."""
        await asyncio.gather(*(pool.open(wait=False) for pool in self.by_name.values()))

    async def close(self) -> None:
        """Disconnects."""
        await asyncio.gather(*(pool.close(CLOSE_S) for pool in self.by_name.values()))


def create_pools(settings: DatabaseSettings) -> Pools:
    """Makes them; nothing connects yet."""
    url = settings.database_url
    return Pools(
        main=create_pool(
            url,
            "messaging",
            min_size=2,
            max_size=settings.pool_size,
            timeout_s=settings.pool_timeout_s,
            guards=GUARDS,
        ),
        billing=create_pool(url, "messaging-billing", guards=GUARDS, min_size=0, max_size=_BILLING, seldom=True),
        reports=create_pool(
            url,
            "messaging-reports",
            guards=GUARDS,
            min_size=0,
            max_size=REPORTS.connections,
            patience_s=_REPORT_PATIENCE_S,
            seldom=True,
        ),
        notices=create_pool(
            url,
            "messaging-webhooks",
            guards=GUARDS,
            min_size=0,
            max_size=_NOTICES,
            timeout_s=_NOTICES_TIMEOUT_S,
            seldom=True,
        ),
        tail=create_pool(url, "messaging-tail", guards=GUARDS, min_size=0, max_size=1),
        catch_up=create_pool(
            url,
            "messaging-catch-up",
            guards=GUARDS,
            min_size=0,
            max_size=_CATCH_UPS,
            timeout_s=_CATCH_UP_TIMEOUT_S,
            patience_s=_CATCH_UP_PATIENCE_S,
            seldom=True,
        ),
        access=create_pool(url, "messaging-access", guards=GUARDS, min_size=0, max_size=_ACCESS, timeout_s=2.0),
        replica=_on_replica(settings, "messaging-replica", _REPLICA),
        replica_reports=_on_replica(
            settings, "messaging-replica-reports", REPORTS.connections, patience_s=_REPORT_PATIENCE_S
        ),
    )


def _on_replica(settings: DatabaseSettings, name: str, max_size: int, *, patience_s: float = PATIENCE_S) -> Pool | None:
    if settings.replica_url is None:
        return None
    return create_pool(
        settings.replica_url,
        name,
        guards=GUARDS,
        min_size=0,
        max_size=max_size,
        timeout_s=_REPLICA_TIMEOUT_S,
        patience_s=patience_s,
    )
