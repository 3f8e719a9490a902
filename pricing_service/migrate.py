"""`python -m pricing_service.migrate`: brings the pricing database to the schema of this release."""

from __future__ import annotations

import os

from pricing_service.adapters.migrate import grant, migrate
from pricing_service.settings import PricingMigrationSettings
from service_kit.postgres.migration_command import migrate_by_command
from service_kit.postgres.migration_run import MigratedService
from service_kit.settings import load


def main() -> None:
    """Migrates the database that the environment names."""
    migrate_by_command(MigratedService("pricing", migrate, grant), _urls)


def _urls() -> tuple[str, str | None]:
    settings = load(PricingMigrationSettings, os.environ)
    return settings.database_url, settings.database_direct_url


if __name__ == "__main__":
    main()
