"""Brings the pricing database to the tables in code."""

from __future__ import annotations

from typing import Final

from pricing_service.adapters.cost_tables import metadata
from pricing_service.adapters.pricing_session_guards import GUARDS
from pricing_service.migrations import MIGRATIONS
from service_kit.postgres import grants, migrations
from service_kit.postgres.grants import AppendOnly
from service_kit.postgres.guards import set_guards

APPEND_ONLY: Final[AppendOnly] = {
    "audit_entry": (),
    "hash_chain": (),
    "cost": ("withdrawn_at", "withdrawn_by", "withdrawn_reason", "withdrawn_epoch"),
}
"""What the role of the service may add to, and not change but for these columns."""


def grant(database_url: str, direct_url: str | None, role: str) -> None:
    """Lets a role run the service on a migrated database. Raises RoleUnfitError. The URLs: as for `migrate`."""
    grants.grant(direct_url or database_url, role, APPEND_ONLY)


def migrate(database_url: str, direct_url: str | None = None) -> None:
    """Applies all migrations that the database does not have yet, and guards the role of the service.

    `database_url`: that of the service. `direct_url`: for the migrations, where that one leads to a pooler or its role
    may not change tables. Raises PooledError, TableInUseError and GuardsNotSetError.
    """
    migrations.upgrade(direct_url or database_url, MIGRATIONS, metadata, may_be_pooled=direct_url is not None)
    set_guards(database_url, GUARDS)
