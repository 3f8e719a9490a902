"""Brings the messaging database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from messaging_service.shared.postgres.session_guards import GUARDS
from messaging_service.wiring.messaging_tables import metadata
from service_kit.postgres.guards import set_guards
from service_kit.postgres.migrations import upgrade

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def migrate(database_url: str, direct_url: str | None = None) -> None:
    """Applies all missing migrations, and guards the role of the service; safe to run from several replicas at once.

    `database_url`: that of the service. `direct_url`: for the migrations, where that one leads to a pooler or its role
    may not change tables. Raises PooledError, TableInUseError and GuardsNotSetError.
    """
    upgrade(direct_url or database_url, MIGRATIONS, metadata, may_be_pooled=direct_url is not None)
    set_guards(database_url, GUARDS)
