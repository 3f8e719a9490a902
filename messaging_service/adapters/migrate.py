"""Brings the messaging database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from messaging_service.adapters.postgres.tables import metadata
from service_kit.migrations import upgrade

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def migrate(database_url: str) -> None:
    """Applies all missing migrations; safe to run from several replicas at once."""
    upgrade(database_url, MIGRATIONS, metadata)
