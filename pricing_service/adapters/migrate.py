"""Brings the pricing database to the tables in code."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pricing_service.adapters.tables import metadata
from service_kit import migrations

MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"


def migrate(database_url: str) -> None:
    """Applies all migrations that the database does not have yet; does nothing when there are none."""
    migrations.upgrade(database_url, MIGRATIONS, metadata)
